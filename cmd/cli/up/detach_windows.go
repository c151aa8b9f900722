package up

import (
	"errors"
)

// canDetach says that sessions cannot go on in the background here: there is nothing
// like leaving the terminal's session, and no socket that knows its peers.
const canDetach = false

func leaveTerminal(string) error { return errors.ErrUnsupported }
