package proc

import "fmt"

// Process is another program that stands in the way.
type Process struct {
	PID  int    // 0 when it is not known
	Name string // may be empty
}

// String is "name (pid 12)", with what is known of it; empty for nothing.
func (p Process) String() string {
	switch {
	case p.PID == 0:
		return ""
	case p.Name == "":
		return fmt.Sprintf("pid %d", p.PID)
	}
	return fmt.Sprintf("%s (pid %d)", p.Name, p.PID)
}
