// Package record is what the loader tells of its requests.
package record

import "time"

// Report is what has happened since the last one.
type Report struct {
	Now     time.Time // by the loader's clock
	Answers []Answer
}

// Answer is what became of one request.
type Answer struct {
	At     time.Time // when it was made
	Took   time.Duration
	Kept   bool   // on a connection that is kept
	Said   string // empty if it failed
	Failed string
}
