package proc

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// self leaves Boot empty: a start time is a date in steps of 100 ns,
// which no second process with this number will ever have.
func self() (ID, error) {
	start, err := startTime(windows.CurrentProcess())
	if err != nil {
		return ID{}, err
	}
	return ID{PID: os.Getpid(), Start: start}, nil
}

// of is for a helper, which Windows has not.
func of(int) (ID, error) { return ID{}, errors.ErrUnsupported }

func running(pid int, start uint64) bool {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return !errors.Is(err, windows.ERROR_INVALID_PARAMETER) // that one means: no such process
	}
	defer windows.CloseHandle(process)
	if event, err := windows.WaitForSingleObject(process, 0); err == nil && event == windows.WAIT_OBJECT_0 {
		return false // ended, but somebody still holds a handle
	}
	began, err := startTime(process)
	return err != nil || began == start
}

func startTime(process windows.Handle) (uint64, error) {
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(process, &created, &exited, &kernel, &user); err != nil {
		return 0, err
	}
	return uint64(created.HighDateTime)<<32 | uint64(created.LowDateTime), nil
}
