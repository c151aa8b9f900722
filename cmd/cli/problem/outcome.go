package problem

import (
	"errors"

	"github.com/devtun/devtun/cmd/cli/background"
)

// Outcome is an error as it goes over a session's socket.
func Outcome(err error) background.Outcome {
	if err == nil {
		return background.Outcome{}
	}
	p := Of(err)
	return background.Outcome{Error: p.Error(), Hint: p.Hint, ExitCode: int(p.Code)}
}

// FromOutcome is what has come over the socket as an error; nil if all went well.
func FromOutcome(o background.Outcome) error {
	if o.Error == "" {
		return nil
	}
	return &Problem{Err: errors.New(o.Error), Hint: o.Hint, Code: ExitCode(o.ExitCode)}
}
