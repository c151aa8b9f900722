package up

import (
	"errors"
	"fmt"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/project"
)

// placedError is what is wrong about an entry of the project file.
type placedError struct {
	place project.Position
	err   error
}

func (e *placedError) Error() string { return fmt.Sprintf("%s: %v", e.place, e.err) }
func (e *placedError) Unwrap() error { return e.err }

// placed is err with the place of the entry that it is about, for editors to lead there. An
// error that is not about what the entry says, such as an API server that does not answer,
// stays as it is.
func placed(place project.Position, err error) error {
	if err == nil || place == (project.Position{}) {
		return err
	}
	told := problem.Of(err)
	switch told.Code {
	case problem.ExitUsage, problem.ExitNotFound, problem.ExitRefused:
	default:
		return err
	}
	at := &placedError{place, told.Err}
	if errors.As(err, new(*problem.Problem)) {
		return &problem.Problem{Err: at, Hint: told.Hint, Code: told.Code}
	}
	return at
}

// withHint is err with a hint in any case: editors make one problem of the two lines.
func withHint(err error) error {
	if err == nil {
		return nil
	}
	told := *problem.Of(err)
	if told.Hint == "" {
		told.Hint = "'devtun doctor' looks for the cause"
	}
	return &told
}
