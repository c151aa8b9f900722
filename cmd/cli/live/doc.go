// Package live shows what a session holds in a terminal, in place, and takes keys: to look
// closer at one service, to open it, to intercept it.
//
//	transcript := live.NewTranscript(os.Stdout, os.Stderr)
//	err := live.Run(ctx, live.Config{Next: live.Follow(tracker), Transcript: transcript, Quit: cancel, …})
//
// It knows nothing but snapshots (package status): they may come from a tracker in
// this process or over a socket from another. What else keys need is in Config; a key for
// which it is not there says so. The model is pure: update.go takes snapshots, keys.go
// keys, rows.go makes rows of a snapshot, table.go fits them into a width, and each page has
// a file that draws it (overview.go, details.go, look.go, journal.go, help.go). What the
// command prints meanwhile goes to a Transcript, whose lines the view has in its log, with
// what has changed (changes.go); all of it is printed when the terminal is free again.
package live
