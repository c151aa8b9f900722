package up

import (
	"errors"
)

// lenient are commands that refuse nothing.
var lenient = Commands{CheckIntercept: func(Intercept) error { return nil }}

// strict are commands that refuse everything.
var strict = Commands{
	CheckIntercept: func(i Intercept) error { return errors.New("no intercept by " + i.Settings.Image) },
}
