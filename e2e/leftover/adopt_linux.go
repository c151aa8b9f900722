package leftover

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Adopt runs a command to its end, and makes the caller the parent of every
// process below it that outlives its own parent, for good. So Run knows those
// even if they have an empty environment and a session of their own. Meanwhile
// the caller is to start nothing else, since Adopt waits for all its other
// children, as the machine's first process would.
func Adopt(cmd *exec.Cmd) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	ended := make(chan os.Signal, 1) // one is enough: reap asks for all
	signal.Notify(ended, syscall.SIGCHLD)
	defer signal.Stop(ended)
	if err := cmd.Start(); err != nil {
		return err
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	for {
		if err := reap(cmd.Process.Pid); err != nil {
			cmd.Process.Kill()
			return errors.Join(err, <-over)
		}
		select {
		case <-ended:
		case err := <-over:
			return err
		}
	}
}

// reap waits for the caller's children that have ended, but for one.
func reap(but int) error {
	s := new(Snapshot)
	if err := s.takeProcesses(); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	for pid, p := range s.processes {
		if p.Parent == s.self && p.Zombie && pid != but {
			if _, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil); err != nil {
				return fmt.Errorf("adopt orphans: %w", os.NewSyscallError("wait4 "+strconv.Itoa(pid), err))
			}
		}
	}
	return nil
}
