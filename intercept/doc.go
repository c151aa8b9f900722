// Package intercept will swap a workload of the cluster for an agent that
// carries its traffic to the developer's machine, and restore it: `devtun
// intercept`. Nothing of it is built yet; the name keeps its place in the layout.
package intercept
