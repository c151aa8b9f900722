// Package project reads devtun.yaml, the project file: what a session forwards and
// intercepts, with the options of the commands 'devtun forward' and 'devtun
// intercept' under the same words.
//
//	file, err := project.Read("devtun.yaml")
//
// Reading is strict. Every fault is an *Error that names file, line and column.
// What only the cluster can tell (whether a service is there) is not looked at here.
// schema.json describes the same for editors; a test keeps the two together.
package project
