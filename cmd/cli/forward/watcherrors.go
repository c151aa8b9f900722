package forward

import (
	"fmt"
	"sync"

	"github.com/devtun/devtun/cmd/cli/forwards"
)

// watchErrors makes one warning of the many errors of several watches, and one when
// they are over.
type watchErrors struct {
	tell func(forwards.Event)
	told func(error) bool // by somebody else

	mu      sync.Mutex
	err     error
	ongoing bool
	started bool // before that, an error is what the command ends with
}

// start begins to tell.
func (w *watchErrors) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started = true
}

// note takes an error of a watch, or nil when it works again.
func (w *watchErrors) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.err = err
	}
	if !w.started || err != nil && w.told(err) || (err != nil) == w.ongoing {
		return
	}
	w.ongoing = err != nil
	warning := forwards.WarningEvent{Message: "the API server answers again", Over: true}
	if err != nil {
		warning = forwards.WarningEvent{Message: fmt.Sprintf("cannot watch the cluster, names and listeners stay: %v", err)}
	}
	w.tell(forwards.Event{Warning: &warning})
}

// last is the last error noted.
func (w *watchErrors) last() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
