package helper

import (
	"fmt"
	"os"
)

// inheritance is the variable by which a process tells the program that it becomes
// of the helper that it has started.
const inheritance = "DEVTUN_HELPER"

const bequest = "%d %s" // process id, socket

func (s *Started) bequest() string { return fmt.Sprintf(bequest, s.pid, s.path) }

// Heir is the variable by which another process finds the helper with Inherited,
// instead of this one. No peer may be connected yet.
func (s *Started) Heir() string { return inheritance + "=" + s.bequest() }

// Inherited is the helper that this process had started before it became what it
// is now; nil if there is none. Who sets the variable by hand gains nothing: a
// helper is believed because it is root's.
func Inherited() *Started {
	s := &Started{ended: make(chan struct{})}
	if _, err := fmt.Sscanf(os.Getenv(inheritance), bequest, &s.pid, &s.path); err != nil {
		return nil
	}
	os.Unsetenv(inheritance) // it is nobody else's
	process, err := os.FindProcess(s.pid)
	if err != nil {
		return nil
	}
	go func() { // ends with the helper
		process.Wait()
		close(s.ended)
	}()
	return s
}
