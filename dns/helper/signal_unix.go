//go:build unix

package helper

import "syscall"

// stopSignal is what Ctrl-Z sends.
const stopSignal = syscall.SIGTSTP
