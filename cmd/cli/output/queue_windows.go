package output

import (
	"errors"

	"golang.org/x/sys/windows"
)

// nobodyReads reports that a write has failed because its reader has gone.
func nobodyReads(err error) bool {
	return errors.Is(err, windows.ERROR_BROKEN_PIPE) || errors.Is(err, windows.ERROR_NO_DATA)
}
