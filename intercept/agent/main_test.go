package agent

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childVariable makes the test binary be another program, one of children.
const childVariable = "DEVTUN_AGENT_TEST_CHILD"

// children are what the test binary can be instead.
var children = make(map[string]func() int)

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childVariable)]; child != nil {
		os.Exit(child())
	}
	// Before the flags are parsed: a command line that says how many is heeded, as of a fuzzer.
	flag.Set("test.parallel", "8") // these wait, mostly, so more of them than there are cores
	goleak.VerifyTestMain(m)
}
