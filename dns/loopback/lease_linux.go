package loopback

import "golang.org/x/sys/unix"

// setLockCommand takes locks that belong to the open file: two sessions in one
// process cannot be used together as two processes do.
const setLockCommand = unix.F_OFD_SETLK
