package live

import (
	"os"
	"os/exec"
)

func foreground(*os.File) bool { return true }

// apart starts a program that outlives this process.
func apart(args []string) *exec.Cmd { return exec.Command(args[0], args[1:]...) }
