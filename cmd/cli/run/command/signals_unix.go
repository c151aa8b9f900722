//go:build unix

package command

import (
	"os"
	"os/signal"
	"syscall"
)

// passedOn are the signals that a program may be sent through devtun. What stops
// and continues a job is left to the shell, which means the whole group by it.
// A signal that this process was told to ignore (nohup) is ignored by the program
// too, and to listen for it would change that.
func passedOn() []os.Signal {
	var list []os.Signal
	for _, s := range []os.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
	} {
		if !signal.Ignored(s) {
			list = append(list, s)
		}
	}
	return list
}

// exitCode is what a shell makes of a program's end.
func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return killedBy(status.Signal())
	}
	return status.ExitStatus()
}

func killedBy(s syscall.Signal) int { return 128 + int(s) }
