// Package gather reads a TCP connection in full flow with fewer wake-ups: the kernel wakes
// the reader for tens of KiB, and not for each segment or record that the far side writes.
//
//	reader := gather.NewReader(conn) // nobody else reads conn, or sets its read deadline meanwhile
//
// A connection is in full flow once megabytes came without a pause. What is left when the
// flow ends waits for a few milliseconds, once.
package gather
