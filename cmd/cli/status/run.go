package status

import (
	"cmp"
	"slices"
	"time"
)

// Environment is the environment of a workload's container, which is here.
type Environment struct {
	Namespace string `json:"namespace"`
	Workload  string `json:"workload"`
	Container string `json:"container,omitempty"` // as asked for; "" is the one that listens
	EnvFile   string `json:"envFile,omitempty"`   // paths
	EnvJSON   string `json:"envJson,omitempty"`
	Files     string `json:"files,omitempty"`
}

// Run is a program of a session.
type Run struct {
	Name     string    `json:"name"`
	Command  []string  `json:"command"`
	State    string    `json:"state"`              // Running or Ended
	ExitCode int       `json:"exitCode"`           // once it has ended: 128 and more if a signal ended it
	Since    time.Time `json:"since"`              // when that was
	Starts   int       `json:"starts"`             // how often it was started
	Workload string    `json:"workload,omitempty"` // whose requests it answers, or whose environment it has
}

// The states of a program.
const (
	Running = "running"
	Ended   = "ended"
)

// SetEnvironments says which environments are here.
func (t *Tracker) SetEnvironments(all []Environment) {
	t.change(func() { t.head.Environments = all })
}

// SetRun says how a program is now.
func (t *Tracker) SetRun(r Run) {
	t.change(func() {
		runs := append(withoutRun(t.head.Runs, r.Name), r)
		slices.SortFunc(runs, func(a, b Run) int { return cmp.Compare(a.Name, b.Name) })
		t.head.Runs = runs
	})
}

// RemoveRun takes a program out.
func (t *Tracker) RemoveRun(name string) {
	t.change(func() { t.head.Runs = withoutRun(t.head.Runs, name) })
}

// withoutRun is a new list, so that snapshots may share the old one.
func withoutRun(runs []Run, name string) []Run {
	return slices.DeleteFunc(slices.Clone(runs), func(r Run) bool { return r.Name == name })
}
