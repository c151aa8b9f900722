package live

import (
	"io"
	"os"
	"slices"

	"golang.org/x/term"
)

// Possible reports whether a view can be shown on out and take keys from in: both
// are a terminal that can do more than print lines, and this process is not in the
// background of it.
func Possible(in io.Reader, out io.Writer, env []string) bool {
	keys, ok := in.(*os.File)
	screen, also := out.(*os.File)
	if !ok || !also || !term.IsTerminal(int(keys.Fd())) || !term.IsTerminal(int(screen.Fd())) {
		return false
	}
	if slices.Contains(env, "TERM=dumb") {
		return false
	}
	return foreground(keys)
}
