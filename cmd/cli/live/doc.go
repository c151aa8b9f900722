// Package live shows what a session holds in a terminal, in place, and lets its
// user look closer: at one service, at its connections.
//
//	transcript := live.NewTranscript(os.Stdout, os.Stderr)
//	err := live.Run(ctx, live.Config{Next: live.Follow(tracker), Transcript: transcript, Quit: cancel, …})
//
// It knows nothing but snapshots (package status): they may come from a tracker in
// this process or over a socket from another. The model is pure: update.go takes
// keys and snapshots, rows.go makes rows of a snapshot, table.go fits them into a
// width, view.go draws. What the command prints meanwhile goes to a Transcript,
// which shows its last lines and prints all of it when the terminal is free again.
package live
