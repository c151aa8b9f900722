package command

import (
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/internal/proc"
)

// stopTries bounds how often it is looked, every stopLook, whether a process has stopped.
const (
	stopTries = 100
	stopLook  = time.Millisecond
)

// Descendant is a descendant of a process.
type Descendant struct{ process }

// StopDescendants stops a process that runs and its descendants, so that none of them can start
// another unseen, and returns the descendants. What has made a session of its own is
// meant to go on and left alone. SIGCONT has them go on.
func StopDescendants(pid int) (stopped []*Descendant) {
	home, err := unix.Getsid(pid)
	if root, ok := lookAt(pid); err != nil || !ok || root.stop() != nil {
		return nil
	}
	seen := make(map[int]bool)
	for more := true; more; {
		more = false
		for _, p := range descendants(pid) {
			session, err := unix.Getsid(p.pid)
			if seen[p.pid] || err != nil || session != home {
				continue
			}
			seen[p.pid], more = true, true
			_ = p.stop() // it may have ended
			stopped = append(stopped, &Descendant{p})
		}
	}
	return stopped
}

// stop stops a process, and waits until it has stopped or ended.
func (p process) stop() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for range stopTries {
		stat, err := proc.StatOf(p.pid)
		if err != nil || strings.IndexByte("tTZX", stat.State) >= 0 {
			return nil
		}
		time.Sleep(stopLook)
	}
	return nil
}

// Signal sends a signal to that process, never to another with its number.
func (d *Descendant) Signal(s syscall.Signal) error { return d.signal(s) }

// Kill kills that process and what it has started meanwhile.
func (d *Descendant) Kill() error {
	if err := d.signal(0); err != nil {
		return err
	}
	later := StopDescendants(d.pid)
	err := d.signal(syscall.SIGKILL)
	for _, l := range later {
		_ = l.signal(syscall.SIGKILL) // it may have ended
	}
	return err
}
