package handover

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Before the flags are parsed: a command line that says how many is heeded, as of a fuzzer.
	flag.Set("test.parallel", "8") // these wait, for the disk mostly, so more of them than there are cores
	goleak.VerifyTestMain(m)
}
