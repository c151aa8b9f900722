package main

import "path/filepath"

// options are what the command line says.
type options struct {
	root     string // of the product's module
	pattern  string
	runs     int
	machines int
	keep     bool
	part     string
}

// e2e is the directory of the module of end-to-end tests and what serves them.
func (o *options) e2e() string { return filepath.Join(o.root, "e2e") }

// modules are the directories of the modules whose tests are the unit tests: all
// packages of both, but for the end-to-end tests themselves.
func (o *options) modules() []string { return []string{o.root, o.e2e()} }
