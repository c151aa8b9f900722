// Package claim is a developer's hold on an intercept, as data: which requests of a
// workload are theirs, and what of that goes together with what others hold.
//
//	header, err := claim.ParseHeader("x-tester=7")
//	mine := claim.Claim{ID: claim.NewID(), Rule: claim.Rule{Headers: []claim.Header{header}}, …}
//	conflict, open := mine.Conflict(theirs)
//	…
//	matcher, err := mine.Rule.Compile()
//	if matcher.Match(request.Method, request.Path(), request.Values) { … }
//
// A [Rule] is a set of requests, and [Compare] says of two what can be told without a
// request: whether they are the same, one contains the other, they have none in common,
// or that is open. Of several claims that a request matches, the narrow ones are asked in
// the order of [Claim.Order], and one that takes everything is asked last.
//
// Claims are stored and changed by package plan, and carried out by package agent. The
// package needs the standard library only, because the agent links it.
package claim
