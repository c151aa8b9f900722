// Package check has what a check of devtun doctor answers: a status, a line, and the
// evidence for it.
//
// Each area of checks (this machine, the API server, a service, the cluster's network) is a
// package of its own beside this one, with a function that asks and returns the results in
// the order in which a byte passes what was checked.
package check

import "slices"

// Status is what a check has found.
type Status string

// The statuses, from the best to the worst; NotChecked says nothing either way.
const (
	OK         Status = "ok"
	Warning    Status = "warning"
	Fault      Status = "fault"
	NotChecked Status = "not checked"
)

// Area is a stretch of a byte's way.
type Area string

// The areas, in the order in which a byte passes them.
const (
	Machine   Area = "this machine"
	APIServer Area = "API server"
	Service   Area = "service"
	Network   Area = "cluster network"
)

// Areas lists them in that order.
func Areas() []Area { return []Area{Machine, APIServer, Service, Network} }

// Result is what one check has found: a line for people, an object for tools.
type Result struct {
	Area     Area     `json:"area"`
	Check    string   `json:"check"` // its name, as in docs/doctor.md: it stays what it is
	Status   Status   `json:"status"`
	Message  string   `json:"message"`            // one line; for NotChecked, why not
	Evidence []string `json:"evidence,omitempty"` // the words of others: an event's, a log's, an error's
	Hint     string   `json:"hint,omitempty"`     // the next command, or what to do where there is none
}

// FirstFault is the first result that is a fault, nil without one. What comes after it on a
// byte's way often only follows from it.
func FirstFault(results []Result) *Result {
	i := slices.IndexFunc(results, func(r Result) bool { return r.Status == Fault })
	if i < 0 {
		return nil
	}
	return &results[i]
}
