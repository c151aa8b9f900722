package node

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// Descriptors that the program init is started with, beside its standard input,
// where the Setup comes from.
const (
	readyDescriptor = 3 // a pipe, for the verdict on that Setup
	logDescriptor   = 4 // a file, for what PID 1 has to say later
)

// Ready is the pipe on which PID 1 tells its starter that the node is furnished.
func Ready() *os.File { return os.NewFile(readyDescriptor, "ready") }

// Launch starts this very program again, with the argument, as PID 1 of new
// namespaces, and returns its process id. The caller then exits. Thus the node is
// a child of the machine's init, which reaps it: it depends on nobody who asked
// for it, and nobody is left with a zombie.
func Launch(argument string) (pid int, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("launch node: %w", err)
	}
	log := os.NewFile(logDescriptor, "log")
	cmd := exec.Command(program, argument)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, log, log
	cmd.ExtraFiles = []*os.File{Ready()}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
			syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("launch node: %w", err)
	}
	return cmd.Process.Pid, nil
}
