package up

import (
	"fmt"
	"time"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/internal/proc"
)

// parentEvery is how often --ppid's process is looked at.
const parentEvery = 500 * time.Millisecond

// parentOf identifies the process that --ppid names; "" for none.
func parentOf(pid int) (string, error) {
	if pid == 0 {
		return "", nil
	}
	hint := "give the number of a process that runs, such as that of the IDE"
	if pid < 0 {
		return "", problem.Usage(hint, "--ppid %d is not a process ID", pid)
	}
	owner, err := proc.Of(pid)
	if err != nil {
		return "", problem.Usage(hint, "--ppid %d: no such process", pid)
	}
	self, err := proc.Self()
	if err != nil {
		return "", err
	}
	owner.PIDNS = self.PIDNS // its number is one of here
	if !owner.Alive() {
		return "", problem.Usage(hint, "--ppid %d: no such process", pid)
	}
	return owner.String(), nil
}

// setStarter has the session know who has started it by an order, and end with the process
// that the order names, if any. A session that somebody has started otherwise than with such
// a process is theirs to end: who only joins it does not end it by going.
func (s *session) setStarter(order background.Order, first bool) error {
	if first {
		s.view.SetStartedBy(order.StartedBy)
		s.ofParent = order.Parent != ""
	}
	process := order.Parent
	if process == "" || !s.ofParent {
		return nil
	}
	parent, ok := proc.Parse(process)
	if !ok {
		return fmt.Errorf("%q is no process", process)
	}
	select {
	case s.parent <- parent:
	case <-s.ending:
	}
	return nil
}

// watchParent ends the session with the process that --ppid names.
func (s *session) watchParent() {
	look := time.NewTicker(parentEvery)
	defer look.Stop()
	var parent proc.ID
	for {
		select {
		case <-s.ending:
			return
		case parent = <-s.parent:
		case <-look.C:
		}
		if parent.PID != 0 && !parent.Alive() {
			fmt.Fprintf(s.log.streams().Err, "process %d has ended, and the session with it\n", parent.PID)
			s.end()
			return
		}
	}
}
