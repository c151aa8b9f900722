package command

import "fmt"

// ExitError is the end of a program that was not success.
type ExitError struct{ Code int }

func (e *ExitError) Error() string { return fmt.Sprintf("the command ended with %d", e.Code) }

// ForbiddenError is a private view of the hosts file that this machine does not
// allow.
type ForbiddenError struct {
	By  string // what forbids it, as exactly as can be known
	Err error
}

func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("give the program a hosts file of its own: forbidden by %s: %v", e.By, e.Err)
}

func (e *ForbiddenError) Unwrap() error { return e.Err }

// LeftError is what the program started and what could not be ended: it has
// become another user's, or the kernel holds it.
type LeftError struct {
	PIDs []int
}

func (e *LeftError) Error() string {
	return fmt.Sprintf("end what the program started: processes %v are out of reach", e.PIDs)
}

// Ended is the error of a Run that has returned code and err: an *ExitError of a
// program that was no success.
func Ended(code int, err error) error {
	if err == nil && code != 0 {
		err = &ExitError{Code: code}
	}
	return err
}
