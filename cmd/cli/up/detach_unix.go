//go:build unix

package up

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// canDetach says that sessions can go on in the background here.
const canDetach = true

// leaveTerminal makes this process one of no terminal. What is written to standard
// error afterwards goes to a file: a panic, or what a credential plugin says.
func leaveTerminal(errors string) error {
	if _, err := unix.Setsid(); err != nil {
		return fmt.Errorf("leave the terminal: %w", err)
	}
	file, err := os.OpenFile(errors, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("leave the terminal: %w", err)
	}
	defer file.Close()
	if err := redirect(int(file.Fd()), int(os.Stderr.Fd())); err != nil {
		return fmt.Errorf("leave the terminal: %w", err)
	}
	return os.Chdir("/") // the project's folder is not kept in use
}
