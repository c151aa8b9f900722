package proc

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func self() (ID, error) { return of(os.Getpid()) }

func of(pid int) (ID, error) {
	boot, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ID{}, err
	}
	start, err := startTime(pid)
	if err != nil {
		return ID{}, err
	}
	return ID{PID: pid, Start: start, Boot: boot}, nil
}

func running(pid int, start uint64) bool {
	if errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		return false
	}
	began, err := startTime(pid)
	return err != nil || began == start
}

// startTime is in microseconds since 1970, noted once when the process began:
// setting the clock does not change it.
func startTime(pid int) (uint64, error) {
	process, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return 0, err
	}
	began := process.Proc.P_starttime
	return uint64(began.Sec)*1e6 + uint64(began.Usec), nil
}
