// Command devtun-agent is the pod that stands in for a workload while an
// intercept lasts.
package main

import (
	"os"

	"github.com/devtun/devtun/intercept/agent"
)

func main() { os.Exit(agent.Main(os.Args[1:], os.Environ(), os.Stderr)) }
