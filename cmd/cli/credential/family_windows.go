package credential

import (
	"os"
	"os/exec"
)

func ownSession(*exec.Cmd) {}

// family is a program.
type family struct{ process *os.Process }

func familyOf(cmd *exec.Cmd, _ bool) family { return family{cmd.Process} }

func (f family) terminate() error { return f.process.Kill() }

func (f family) kill() {}

func interrupted(*exec.ExitError) bool { return false }

func foreground(*os.File) bool { return true }
