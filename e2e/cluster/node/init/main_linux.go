// Command init is PID 1 of the local cluster's node. Package cluster starts it;
// it is of no use by hand. Without an argument it launches itself as a node's
// PID 1, prints the process id and exits.
package main

import (
	"fmt"
	"os"

	"github.com/devtun/devtun/e2e/cluster/node"
)

// inside is the argument of the process that is PID 1.
const inside = "node"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) > 1 && os.Args[1] == inside {
		return node.Run(os.Stdin, node.Ready())
	}
	pid, err := node.Launch(inside)
	if err != nil {
		return err
	}
	_, err = fmt.Println(pid)
	return err
}
