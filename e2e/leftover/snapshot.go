package leftover

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Snapshot is what a machine had at one moment.
type Snapshot struct {
	dirs       []string // as given to Take
	self       int      // the process that took it
	processes  map[int]Process
	mounts     map[mount]int     // how often: mounts lie upon each other
	links      map[string]string // to the bridge it is a port of, or ""
	namespaces map[string]bool   // the named network namespaces
	users      map[string]bool
	groups     map[string]bool
	cgroups    map[cgroup]bool
	files      map[string]bool // paths of the entries of temporary folders
}

// Process is one that runs, or a zombie: ended, but not waited for by its parent. What the system does not tell the
// caller, as of other users' processes, is empty.
type Process struct {
	PID, Parent, Group int
	Start              uint64    // in ticks since the machine started: with PID it is unique
	Started            time.Time // the same, for people
	Zombie             bool
	Command            []string // or, if it has hidden that, its name in brackets
	Program, Dir       string
	Run                string     // the value of Variable in its environment
	Namespaces         Namespaces // its own, not those of single threads
	Cgroups            string     // as in /proc/PID/cgroup
}

// Namespaces are names such as "net:[4026531840]".
type Namespaces struct{ Mount, Net, User string }

// mount is one line of /proc/self/mountinfo.
type mount struct{ point, kind, root string }

// cgroup is a directory below the root of a hierarchy, which has no name if
// there is but one.
type cgroup struct{ hierarchy, path string }

// longestCommand is how much of a command line is told.
const longestCommand = 300

func (p Process) String() string {
	command := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.Join(p.Command, " "))
	if runes := []rune(command); len(runes) > longestCommand {
		command = string(runes[:longestCommand]) + "…"
	}
	return fmt.Sprintf("process %d %s (started %s, parent %d", p.PID, command, p.Started.Format(time.TimeOnly), p.Parent)
}

func (m mount) String() string {
	if m.root == "/" {
		return fmt.Sprintf("mount %s (%s)", m.point, m.kind)
	}
	return fmt.Sprintf("mount %s (%s %s)", m.point, m.kind, m.root)
}
