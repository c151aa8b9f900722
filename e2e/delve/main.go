// Command delve is the debugger that Go editors start, at the version that the tests
// are written against. It is a module of its own, since nothing else needs what it
// is made of.
package main

import (
	"os"

	"github.com/go-delve/delve/cmd/dlv/cmds"
)

func main() {
	if err := cmds.New(false).Execute(); err != nil {
		os.Exit(1)
	}
}
