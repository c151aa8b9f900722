// Package background is how a session that outlives its command is found and spoken
// to: by a name, in a directory that is the user's alone.
//
//	place, err := directory.Claim("shop")      // the session's process: its lock, socket and log
//	go background.Serve(ctx, place.Listener, holder)
//
//	client := directory.Client("shop")         // any other devtun of the user's
//	snapshot, err := client.Snapshot(ctx)
//
// A command in the foreground has a place as well (foreground.go): it can be looked at
// and ended in the same way.
//
// The lock says whether a session runs: the kernel frees it however the process ends,
// so what the dead have left is told from what is in use. The socket speaks HTTP
// (server.go), to this user's processes only, by the rights of the directory and by
// the kernel's word about each peer.
package background
