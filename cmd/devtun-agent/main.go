// Command devtun-agent is the pod that stands in for a workload while an
// intercept lasts, or a probe of devtun doctor.
package main

import (
	"os"

	"github.com/devtun/devtun/intercept/agent"
	"github.com/devtun/devtun/intercept/probe"
)

func main() {
	if config, found := os.LookupEnv(probe.ConfigVariable); found {
		os.Exit(probe.Main(config, os.Stderr))
	}
	os.Exit(agent.Main(os.Args[1:], os.Environ(), os.Stderr))
}
