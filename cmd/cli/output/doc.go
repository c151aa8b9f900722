// Package output is where a command writes to: a Queue stands before a reader that may
// stall or go.
package output
