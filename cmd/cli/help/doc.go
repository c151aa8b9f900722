// Package help prints what commands do: `devtun --help`, `devtun help COMMAND`, and
// `devtun help TOPIC` for what concerns all of them.
//
//	help.Install(root, streams)
//
// A command's text is wrapped to the terminal, or to 80 columns without one. Commands stand
// in the groups that the root has for them, and flags that are kubectl's (Kubernetes) apart
// from devtun's own: two of them with each command, all in a topic. docs/gen makes the
// reference and the man pages of the same texts.
package help
