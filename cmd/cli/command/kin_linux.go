package command

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Kin is a descendant of a process.
type Kin struct{ process }

// KinOf is the descendants of a process that runs, as far as they have stayed in its
// session: what has made one of its own is meant to go on.
func KinOf(pid int) (kin []*Kin) {
	home, err := unix.Getsid(pid)
	for _, p := range descendants(pid) {
		if session, serr := unix.Getsid(p.pid); err == nil && serr == nil && session == home {
			kin = append(kin, &Kin{p})
		}
	}
	return kin
}

// Signal sends a signal to that process, never to another with its number.
func (k *Kin) Signal(s syscall.Signal) error { return k.signal(s) }
