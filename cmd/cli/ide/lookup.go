package ide

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// lookupTimeout bounds the user's login shell, which may run anything.
const lookupTimeout = 5 * time.Second

// sessionPath is PATH as a desktop's programs have it before a shell has been asked.
const sessionPath = "/usr/local/bin:/usr/bin:/bin"

// asEditorsFind is the command devtun as the tasks are to have it, self being the path of
// this program: an editor that was not started in a terminal finds programs by the PATH of
// the user's login shell. If that leads to no devtun, it is self, and lost is true.
//
// A shell that is not known, or does not answer in time, tells nothing.
func asEditorsFind(ctx context.Context, getenv func(string) string, self string) (command string, lost bool) {
	const name = "devtun"
	shell := getenv("SHELL")
	if shell == "" {
		return name, false
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, "-l", "-c", "command -v "+name)
	cmd.WaitDelay = time.Second // what it has started may hold its output open
	cmd.Env = []string{"PATH=" + sessionPath}
	for _, name := range []string{"HOME", "USER", "LOGNAME", "SHELL", "LANG"} {
		if value := getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	out, err := cmd.Output()
	if _, exited := err.(*exec.ExitError); err != nil && (!exited || ctx.Err() != nil) {
		return name, false
	}
	for line := range strings.Lines(string(out)) { // a profile may have said something before
		if line = strings.TrimSpace(line); filepath.Base(line) == name {
			if info, err := os.Stat(line); err == nil && info.Mode().IsRegular() {
				return name, false
			}
		}
	}
	return self, true
}
