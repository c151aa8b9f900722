package problem

import (
	"errors"

	"github.com/devtun/devtun/cmd/cli/background"
)

// Outcome is an error as it goes over the socket.
func Outcome(err error) background.Outcome {
	if err == nil {
		return background.Outcome{}
	}
	problem := Of(err)
	return background.Outcome{Error: problem.Error(), Hint: problem.Hint, ExitCode: int(problem.Code)}
}

// FromOutcome is what has come over the socket as an error.
func FromOutcome(o background.Outcome) error {
	if o.Error == "" {
		return nil
	}
	return &Problem{Err: errors.New(o.Error), Hint: o.Hint, Code: ExitCode(o.ExitCode)}
}
