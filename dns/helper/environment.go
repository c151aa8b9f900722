package helper

import (
	"fmt"
	"os"
)

// environmentVariable is inherited by the program that this process becomes or starts,
// and tells it of the helper that this process has started.
const environmentVariable = "DEVTUN_HELPER"

const environmentFormat = "%d %s" // process id, socket

func (s *Started) environmentValue() string { return fmt.Sprintf(environmentFormat, s.pid, s.path) }

// Environment is the variable by which another process finds the helper with
// Inherited, instead of this one: "NAME=value". No peer may be connected yet.
func (s *Started) Environment() string { return environmentVariable + "=" + s.environmentValue() }

// Inherited is the helper that this process had started before it became what it
// is now; nil if there is none. Who sets the variable by hand gains nothing: a
// helper is believed because it is root's.
func Inherited() *Started {
	s := &Started{ended: make(chan struct{})}
	if _, err := fmt.Sscanf(os.Getenv(environmentVariable), environmentFormat, &s.pid, &s.path); err != nil {
		return nil
	}
	_ = os.Unsetenv(environmentVariable) // it is nobody else's
	process, err := os.FindProcess(s.pid)
	if err != nil {
		return nil
	}
	go func() { // ends with the helper
		_, _ = process.Wait()
		close(s.ended)
	}()
	return s
}
