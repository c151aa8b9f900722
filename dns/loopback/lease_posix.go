//go:build unix && !linux

package loopback

import "golang.org/x/sys/unix"

// setLockCommand takes POSIX locks, which belong to the process: a process may
// open only one Leases there, since a second would neither be kept out by the
// first nor leave it its locks when it closes.
const setLockCommand = unix.F_SETLK
