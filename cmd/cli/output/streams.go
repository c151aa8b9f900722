package output

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Streams is where a command reads and writes: results go to Out, everything
// else to Err.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Env is the environment of programs that devtun runs for the user.
	Env []string
	// HelperEnv is what a session in the background needs in its environment to find the
	// helper that root has started for this process; nil without one.
	HelperEnv []string
	// Terminal and Colour say what Out is.
	Terminal, Colour bool
}

// System is the process's own streams. NO_COLOR (no-color.org) is honoured.
func System() Streams {
	terminal := term.IsTerminal(int(os.Stdout.Fd()))
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Terminal: terminal,
		Colour: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
}

// Plain is s, as a pipe if that is wanted.
func (s Streams) Plain(wanted bool) Streams {
	if wanted {
		s.Terminal, s.Colour = false, false
	}
	return s
}
