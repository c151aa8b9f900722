package output

import (
	"io"
	"os"

	"github.com/spf13/pflag"
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

// Finishes marks commands that finish what they have begun when their reader goes: an end
// in the middle of it would be worse.
const Finishes = "finishes"

// AddPlainFlag adds what commands have that show more in a terminal than in a pipe.
func AddPlainFlag(flags *pflag.FlagSet, plain *bool) {
	flags.BoolVar(plain, "plain", false, "print lines as in a pipe, in a terminal too: for an IDE's tasks")
}

// Plain is s, as a pipe if that is wanted.
func (s Streams) Plain(wanted bool) Streams {
	if wanted {
		s.Terminal, s.Colour = false, false
	}
	return s
}
