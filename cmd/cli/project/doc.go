// Package project reads devtun.yaml, the project file: what a session forwards and
// intercepts, with the options of the commands 'devtun forward' and 'devtun
// intercept' under the same words, and what runs meanwhile.
//
//	file, err := project.Read(project.Find())
//
// It is read as Docker Compose reads its own: texts have the values of variables in them
// (interpolate.go), what runs may be written in several ways (spell.go), and
// devtun.local.yaml goes over the file (merge.go). All that happens to the nodes of the YAML,
// which know where they stand, before they are decoded.
//
// Reading is strict. Every fault is an *Error that names file, line and column
// (document.go). What only the cluster can tell (whether a service is there) is not looked at
// here. schema.json describes the same for editors; a test keeps the two together.
package project
