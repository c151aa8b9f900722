package cli

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/tunnel/discovery"
)

// TestMain lets the test binary be devtun, for scripts.
func TestMain(m *testing.M) {
	os.Unsetenv("SUDO_UID") // under sudo these tests are root's all the same
	testscript.Main(m, map[string]func(){
		"devtun": func() { os.Exit(Main(os.Args[1:], output.System())) },
	})
}

// in is a service of a namespace.
func in(namespace, name string) discovery.Key {
	return discovery.Key{Namespace: namespace, Name: name}
}
