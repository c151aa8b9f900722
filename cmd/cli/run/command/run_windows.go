package command

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"unsafe"

	"golang.org/x/sys/windows"
)

// run has the program in a job, which ends with this process, however it ends,
// and takes along whatever the program started. Control-C reaches the program
// from the console itself; here it is only outlived.
func (c *Command) run(ctx context.Context, path string) (int, error) {
	program, err := c.plain(path)
	if err != nil {
		return 0, err
	}
	var signals chan os.Signal
	if !c.Apart {
		signals = make(chan os.Signal, 1)
		signal.Notify(signals, os.Interrupt)
		defer signal.Stop(signals)
	}
	job, err := newJob()
	if err != nil {
		return 0, fmt.Errorf("make job: %w", err)
	}
	defer windows.CloseHandle(job)
	if err := program.Start(); err != nil {
		failure := &StartError{Name: c.Args[0], Err: err}
		return failure.Code(), failure
	}
	if err := assign(job, program); err != nil {
		program.Process.Kill()
		<-ended(program)
		return 0, fmt.Errorf("put program into its job: %w", err)
	}
	end, done := ended(program), ctx.Done()
	var asked insistence
	for {
		select {
		case s := <-signals:
			if c.insist(&asked, s) {
				program.Process.Kill()
			}
		case <-done: // Windows cannot ask
			done = nil
			program.Process.Kill()
		case err := <-end:
			if err != nil {
				return 0, fmt.Errorf("wait for program: %w", err)
			}
			return program.ProcessState.ExitCode(), nil
		}
	}
}

// newJob makes a job whose processes end when its last handle is closed.
func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, err
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
		},
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		windows.CloseHandle(job)
		return 0, err
	}
	return job, nil
}

// assign puts a program that has just been started into the job. One that has
// ended since needs none.
func assign(job windows.Handle, program *exec.Cmd) error {
	const rights = windows.PROCESS_SET_QUOTA | windows.PROCESS_TERMINATE
	process, err := windows.OpenProcess(rights, false, uint32(program.Process.Pid))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(process)
	err = windows.AssignProcessToJobObject(job, process)
	if event, _ := windows.WaitForSingleObject(windows.Handle(process), 0); event == windows.WAIT_OBJECT_0 {
		return nil
	}
	return err
}
