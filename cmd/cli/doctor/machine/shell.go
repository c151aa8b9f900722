package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

// loginShell says whether an editor that is started from the desktop finds devtun: by the
// PATH that a login shell has.
func (o *Options) loginShell(ctx context.Context) []check.Result {
	const name = "login-shell"
	shell := os.Getenv("SHELL")
	if runtime.GOOS == "windows" || shell == "" {
		return []check.Result{result(name, check.NotChecked, "SHELL is not set")}
	}
	self, err := os.Executable()
	if err != nil {
		return []check.Result{result(name, check.NotChecked, err.Error())}
	}
	said, err := bounded(ctx, 2*time.Second, shell, "-lc", "command -v devtun")
	if errors.Is(err, context.DeadlineExceeded) {
		return []check.Result{result(name, check.NotChecked, shell+" did not answer within 2 s")}
	}
	return []check.Result{judgeShell(shell, said, self)}
}

// judgeShell judges what a login shell says of where devtun is. A shell may say more before
// that.
func judgeShell(shell, said, self string) check.Result {
	const name = "login-shell"
	lines := strings.Split(strings.TrimSpace(said), "\n")
	found := lines[len(lines)-1]
	r := result(name, check.OK, found)
	switch {
	case !filepath.IsAbs(found):
		r.Status, r.Message = check.Warning, "a login shell does not find devtun, and so an editor may not"
		r.Hint = "add it to PATH in ~/.profile: PATH=$PATH:" + filepath.Dir(self) +
			"; or have 'devtun ide' write where it is"
	case !same(found, self):
		r.Status, r.Message = check.Warning, "a login shell, and so an editor, finds another devtun"
		r.Evidence = []string{"it finds " + found, "this is " + self}
		r.Hint = "remove one of them, or put the right one first in PATH in ~/.profile"
	}
	if r.Status != check.OK {
		r.Evidence = append([]string{shell + " -lc 'command -v devtun'"}, r.Evidence...)
	}
	return r
}

// same reports that two paths lead to one file.
func same(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
