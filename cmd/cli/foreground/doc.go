// Package foreground makes a command in the foreground a session: 'devtun status' shows
// it, and 'devtun down' ends it.
//
//	session, warning := foreground.Open("forward", end)
//	defer func() { session.Close(err) }()
package foreground
