// Package headers finds, for devtun doctor --headers, the service in which a request's headers
// are lost.
//
// A request with a header of its own, "baggage: devtun=doctor-…", is sent to a service by a
// port-forward, while the namespace's other HTTP services are tapped as devtun tap does it
// (package cmd/cli/intercept): agents are put in the way of their traffic, tell of each request,
// and go again. Which of those requests have the header is a function of what was told
// (judge.go).
package headers
