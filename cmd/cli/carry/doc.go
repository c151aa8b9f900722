// Package carry says what is done with the requests that a session forwards: which
// headers they carry on, and which of them are for a process that this session has here.
//
//	intercepts := new(carry.Intercepts)               // the session's
//	carried, unknown := carry.Of(rule)                // what a claim's process is to pass on
//	i, clashing := intercepts.Begin(carried)          // with what is forwarded from here on
//	i.Stands(matcher, heres…)                         // requests that match go to the process here
//	…
//	i.End()
//
// Forwards ask [Intercepts.Requests] for each connection, and for each of its requests.
// No request is related to another: behind a personal claim a process serves one key, and
// whatever it sends is sent for that. Package proxy edits the heads.
package carry
