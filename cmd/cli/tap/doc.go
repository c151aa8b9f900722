// Package tap is devtun tap: each request that a workload gets, as a line.
//
// It is an intercept (package cmd/cli/intercept) whose claim is a mirror, and that no
// process takes part in: it joins what stands or makes it, and leaves at its end, as any
// other. What is shown is what the agents tell of requests.
package tap
