package cli

import (
	"fmt"
	"sync"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
)

// trouble makes one remark of the many errors of several watches, and one when
// they are over.
type trouble struct {
	tell func(forwards.Event)
	told func(error) bool // by somebody else

	mu      sync.Mutex
	err     error
	ongoing bool
	started bool // before that, trouble is what the command ends with
}

// start begins to tell.
func (t *trouble) start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.started = true
}

// note takes an error of a watch, or nil when it works again.
func (t *trouble) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.err = err
	}
	if !t.started || err != nil && t.told(err) || (err != nil) == t.ongoing {
		return
	}
	t.ongoing = err != nil
	warning := forwards.WarningEvent{Message: "the API server answers again", Over: true}
	if err != nil {
		warning = forwards.WarningEvent{Message: fmt.Sprintf("cannot watch the cluster, names and listeners stay: %v", err)}
	}
	t.tell(forwards.Event{Warning: &warning})
}

// last is the last error noted.
func (t *trouble) last() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// warnOfLogins has tell told when a login stops working, and when it works again.
func warnOfLogins(tell func(forwards.Event)) {
	kube.TellLogins(func(message string, over bool) {
		tell(forwards.Event{Warning: &forwards.WarningEvent{Message: message, Over: over}})
	})
}
