// Command devtun is a local developer tunnel for Kubernetes.
package main

import (
	"os"

	"github.com/devtun/devtun/cmd/cli"
	"github.com/devtun/devtun/cmd/cli/output"
)

func main() { os.Exit(cli.Main(os.Args[1:], output.System())) }
