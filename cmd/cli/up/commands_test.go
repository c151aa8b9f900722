package up

import (
	"errors"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/output"
)

// lenient are commands that refuse nothing.
var lenient = Commands{
	CheckForwards:  func(ForwardSettings) error { return nil },
	CheckIntercept: func(Intercept) error { return nil },
	TellForwards:   func(output.Writer, forwards.Event, string, bool) {},
}

// strict are commands that refuse everything.
var strict = Commands{
	CheckForwards:  func(s ForwardSettings) error { return errors.New("no forwards by " + s.Reach.Transport) },
	CheckIntercept: func(i Intercept) error { return errors.New("no intercept by " + i.Settings.Image) },
}
