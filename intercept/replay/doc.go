// Package replay sends copies of requests to a local process, and drops what it answers.
//
//	r := replay.New(dial)
//	defer r.Close()
//	err := r.Serve(ctx, port, stream) // for each copy; until it has been answered
//
// An HTTP/1 request goes as it came, by a connection of its own; one of HTTP/2 with the
// same fields, by a connection that it shares with others. A whole connection's copy is
// what its client said.
//
// The copies are read from streams of a link with package look's Reader. How many there are
// at a time is bounded by who sends them; how long one may take is by a Quiet time, which
// is long: a breakpoint is a person's.
package replay
