package proc

import (
	"fmt"
	"strconv"
	"strings"
)

// ID identifies a process for good: a process number alone comes round again.
type ID struct {
	PID int
	// Start is when the process started, in the system's own unit and epoch
	// (Linux: clock ticks since boot). Only equality means anything.
	Start uint64
	// Boot names the boot of the machine. Empty where Start alone tells boots
	// apart (Windows).
	Boot string
	// PIDNS is the inode of the PID namespace in which PID counts, 0 where
	// there are none.
	PIDNS uint64
}

// Self is this process.
func Self() (ID, error) {
	id, err := self()
	if err != nil {
		return ID{}, fmt.Errorf("identify this process: %w", err)
	}
	return id, nil
}

// Of is another process of this machine, by the number that it has here.
func Of(pid int) (ID, error) {
	id, err := of(pid)
	if err != nil {
		return ID{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	return id, nil
}

// Alive reports whether the process may still run. Only certainty counts as
// death: another boot, no such process, or another start time.
//
// A container that shares files with this machine counts processes in a namespace
// of its own, where the same number is somebody else. Of such a process nothing can
// be known here but its boot, so it passes for alive until the next boot.
func (id ID) Alive() bool {
	self, err := self()
	if err != nil {
		return true
	}
	switch {
	case id.Boot != self.Boot:
		return false
	case id.PIDNS != self.PIDNS:
		return true
	}
	return running(id.PID, id.Start)
}

// String is the form that stands in files, for Parse.
func (id ID) String() string {
	return fmt.Sprintf("pid=%d start=%d pidns=%d boot=%s", id.PID, id.Start, id.PIDNS, id.Boot)
}

// Parse reads what String wrote and skips other words.
func Parse(s string) (ID, bool) {
	var id ID
	var errs [3]error
	for _, word := range strings.Fields(s) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "pid":
			id.PID, errs[0] = strconv.Atoi(value)
		case "start":
			id.Start, errs[1] = strconv.ParseUint(value, 10, 64)
		case "pidns":
			id.PIDNS, errs[2] = strconv.ParseUint(value, 10, 64)
		case "boot":
			id.Boot = value
		}
	}
	return id, id.PID > 0 && errs == [3]error{}
}
