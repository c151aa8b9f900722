// Package forward is devtun forward, and what other commands need of it: services in
// reach under their own names.
//
//	settings.AddFlags(cmd)                         // which services, and how
//	err := settings.Run(ctx, tracker, tell, open)  // until ctx ends
//
// Run follows a selection: what discovery sees of it goes to package forwards, which
// keeps names and listeners in step; what that tells becomes events (events.go). A
// Forwarder does so for a selection that may change.
package forward
