package main

// options are what the command line says.
type options struct {
	root     string // of the module
	pattern  string
	runs     int
	machines int
	keep     bool
	part     string
}
