package dns

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Owner identifies the process behind a session, for good: a process number
// alone comes round again.
type Owner struct {
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

// Current is this process.
func Current() (Owner, error) {
	owner, err := currentOwner()
	if err != nil {
		return Owner{}, fmt.Errorf("identify this process: %w", err)
	}
	return owner, nil
}

// OwnerOf is another process of this machine, by the number that it has here.
func OwnerOf(pid int) (Owner, error) {
	owner, err := ownerOf(pid)
	if err != nil {
		return Owner{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	return owner, nil
}

// session names the owner's block in the hosts file: sessionLen digits, the same
// for everybody who asks.
func (o Owner) session() string {
	sum := sha256.Sum256([]byte(o.String()))
	return hex.EncodeToString(sum[:sessionLen/2])
}

// Alive reports whether the owner may still run. Only certainty counts as
// death: another boot, no such process, or another start time.
//
// A container that shares the hosts file counts processes in a namespace of its
// own, where the same number is somebody else. Of such an owner nothing can be
// known here but its boot, so it passes for alive; a devtun over there, or the
// next boot, will clean up after it.
func (o Owner) Alive() bool {
	self, err := currentOwner()
	if err != nil {
		return true
	}
	switch {
	case o.Boot != self.Boot:
		return false
	case o.PIDNS != self.PIDNS:
		return true
	}
	return running(o.PID, o.Start)
}

// String is the form that stands in the hosts file, for parseOwner.
func (o Owner) String() string {
	return fmt.Sprintf("pid=%d start=%d pidns=%d boot=%s", o.PID, o.Start, o.PIDNS, o.Boot)
}

// ParseOwner reads what String wrote, among other words.
func ParseOwner(s string) (Owner, bool) { return parseOwner(s) }

// parseOwner reads the words of String and skips others.
func parseOwner(s string) (Owner, bool) {
	var o Owner
	var errs [3]error
	for _, word := range strings.Fields(s) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "pid":
			o.PID, errs[0] = strconv.Atoi(value)
		case "start":
			o.Start, errs[1] = strconv.ParseUint(value, 10, 64)
		case "pidns":
			o.PIDNS, errs[2] = strconv.ParseUint(value, 10, 64)
		case "boot":
			o.Boot = value
		}
	}
	return o, o.PID > 0 && errs == [3]error{}
}
