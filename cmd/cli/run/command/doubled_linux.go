package command

import (
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A signal that went to both of them is seen by the keeper at most after later
// than word of it comes from devtun, and at most before earlier. A signal to
// devtun alone is passed on by after late.
const (
	after  = 100 * time.Millisecond
	before = time.Second
)

// order is a signal that devtun got, and when it said so.
type order struct {
	signal syscall.Signal
	at     time.Time
}

// doubled reports whether a signal that devtun got went to the whole group and
// so to the program too: then this process gets it as well.
func (k *keeper) doubled(o order) bool {
	if group, err := unix.Getpgid(k.program); err != nil || group != unix.Getpgrp() {
		return false
	}
	late := time.After(time.Until(o.at.Add(after)))
	for !k.saw(o) {
		select {
		case s := <-k.group:
			k.see(s)
		case <-late:
			for len(k.group) > 0 {
				k.see(<-k.group)
			}
			return k.saw(o)
		}
	}
	return true
}

func (k *keeper) see(s os.Signal) { k.seen[s] = append(k.seen[s], time.Now()) }

// saw looks for the sight of a signal. Each counts once.
func (k *keeper) saw(o order) bool {
	seen := slices.DeleteFunc(k.seen[o.signal], func(at time.Time) bool { return o.at.Sub(at) > before })
	k.seen[o.signal] = seen
	if len(seen) == 0 {
		return false
	}
	k.seen[o.signal] = seen[1:]
	return true
}
