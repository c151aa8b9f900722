// Command devtun is a local developer tunnel for Kubernetes.
package main

import (
	"os"

	"github.com/devtun/devtun/cmd/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], cli.System())) }
