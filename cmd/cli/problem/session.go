package problem

import (
	"errors"
	"fmt"
	"strings"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/project"
)

// sessions makes a Problem of the errors that only sessions of 'devtun up' have, and
// their project files; nil of others.
func sessions(err error) *Problem {
	var fault *project.Error
	var directory *background.DirectoryError
	var version *background.VersionError
	switch {
	case errors.As(err, &fault):
		return &Problem{Err: err, Code: ExitUsage, Hint: faultHint(fault)}
	case errors.As(err, &directory):
		return &Problem{Err: err, Code: ExitMachine,
			Hint: "move it away, or have XDG_RUNTIME_DIR name a directory of your own"}
	case errors.As(err, &version):
		return &Problem{Err: err, Code: ExitFailure,
			Hint: fmt.Sprintf("end it with the devtun that has started it, or by its pid: devtun down %s", version.Name)}
	case errors.Is(err, background.ErrLost):
		return &Problem{Err: err, Code: ExitFailure, Hint: "'devtun logs' may tell why; 'devtun up' starts it again"}
	case errors.Is(err, background.ErrNone):
		return &Problem{Err: err, Code: ExitNoSession, Hint: "'devtun up' starts one"}
	}
	return nil
}

func faultHint(fault *project.Error) string {
	if fault.Unknown == "" {
		return fault.Hint
	}
	if name := Near(fault.Unknown, fault.Known); name != "" {
		return fmt.Sprintf("did you mean %s?", name)
	}
	return "the keys there are: " + strings.Join(fault.Known, ", ")
}
