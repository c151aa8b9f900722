package up

import (
	"errors"
	"fmt"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/output"
)

// lenient are commands that refuse nothing.
var lenient = Commands{
	CheckForwards:  func(ForwardSettings) error { return nil },
	CheckIntercept: func(Intercept) error { return nil },
	NewPrinter: func(streams output.Streams, _ string, _ bool) Printer {
		return plainPrinter{streams}
	},
}

// strict are commands that refuse everything.
var strict = Commands{
	CheckForwards:  func(s ForwardSettings) error { return errors.New("no forwards by " + s.Reach.Transport) },
	CheckIntercept: func(i Intercept) error { return errors.New("no intercept by " + i.Settings.Image) },
}

// plainPrinter prints warnings and notes.
type plainPrinter struct{ output.Streams }

func (p plainPrinter) Tell(event forwards.Event) {
	if event.Warning != nil {
		fmt.Fprintf(p.Err, "warning: %s\n", event.Warning.Message)
	}
}

func (p plainPrinter) Note(text, _ string) { fmt.Fprintf(p.Err, "note: %s\n", text) }
