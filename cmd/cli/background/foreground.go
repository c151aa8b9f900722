package background

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// A command in the foreground is found by a name of its own, KIND.PID: no session of
// 'devtun up' can be called so. Nobody will use that name again, so what a killed one
// has left is removed by the next, and one that ends well leaves nothing at all.

// Foreground reports that a name is that of a command in the foreground.
func Foreground(name string) bool { return strings.Contains(name, ".") }

// ClaimForeground takes a place, without a log, for this process and a command of that
// kind. The caller removes it.
func (d Directory) ClaimForeground(kind string) (*Place, error) {
	d.sweep()
	name := fmt.Sprintf("%s.%d", kind, os.Getpid())
	for n := 2; ; n++ {
		p, err := d.take(name, (*Place).listen)
		var busy *BusyError
		if !errors.As(err, &busy) || n > 9 {
			return p, err
		}
		name = fmt.Sprintf("%s.%d.%d", kind, os.Getpid(), n) // the number is of another PID namespace, too
	}
}

// sweep removes what killed commands in the foreground have left. What it cannot remove is
// in nobody's way, and told by 'devtun clean'.
func (d Directory) sweep() {
	names, _ := d.Names()
	for _, name := range names {
		if Foreground(name) {
			_, _ = d.clean(name)
		}
	}
}

// removeEmpty removes the directory if nobody uses it.
func (d Directory) removeEmpty() error {
	err := os.Remove(string(d))
	if errors.Is(err, fs.ErrNotExist) || err != nil && isThere(string(d)) { // somebody's place is there
		return nil
	}
	return err
}
