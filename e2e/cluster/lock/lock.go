// Package lock keeps two processes from working on one directory at a time. The
// lock is on the directory itself: no file is made, and the kernel drops the lock
// of a process that dies, so there is none to be left behind.
package lock

import "time"

// interval is how often a lock that somebody else holds is tried again.
const interval = 50 * time.Millisecond
