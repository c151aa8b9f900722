// Package mux is the client's end of SPDY/3.1 as the Kubernetes streaming
// endpoints speak it: many streams over one connection.
//
//	conn := mux.New(upgraded)
//	defer conn.Close()
//	streams, err := conn.Open(ctx, errors, data) // one write, one round trip
//
// The far side is github.com/moby/spdystream, which kubelets and container runtimes use.
// What this package has, and that module's own Connection does not offer, is what a
// tunnel needs: to go on reading while one stream's reader is slow, ends of streams that
// tell a reset from an end of input, a ping with a deadline, headers that are not
// compressed, and one system call for frames that leave together.
//
// Ways of the data. Out: Stream.Write and everything else that sends a frame
// takes turns on the connection's writer; whoever is last in the queue flushes.
// In: one goroutine reads frames and appends each to its stream's queue, from
// which Stream.Read takes.
//
// SPDY as spoken here has no flow control. Out, the slots of the far side's
// workers (worker.go) make up for it: what a stream's reader there does not take
// stays here. In, nothing does: when a stream's queue is full the connection has to
// stop reading, which stops its other streams too. Stalled tells of that early, so
// that the owner opens new streams elsewhere.
//
// A Connection owns what it was made on, and two kinds of goroutines, the reader and
// short-lived senders; Close ends and awaits them all.
package mux
