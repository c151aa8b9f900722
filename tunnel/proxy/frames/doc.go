// Package frames has what HTTP/2 is read and written by, a connection's frames in order:
//
//	out.Write(frame)             // the Framer's; or
//	out.Data(stream, p, limit)   // DATA, which grows the frame before it where it can
//	batch, giveBack := out.Take() // to be written in one go
//
// An [Out] are frames that wait to be written, a [Queue] is what of a stream waits for a
// window, and a [Reader] gives DATA in pieces as they come, so that a frame's size costs
// nothing. Buffers are borrowed while they hold something: what idles holds next to none.
// Nothing here is for several goroutines at once, and nothing knows what a stream is for.
package frames
