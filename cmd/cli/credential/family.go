package credential

import (
	"context"
	"errors"
	"os/exec"
)

// runFamily runs a program, alone in a session of its own. When ctx ends, the program
// and what it has started are asked to end, and killed after endGrace. What the program
// leaves running when it ends by itself is its own affair, such as a cache.
func runFamily(ctx context.Context, cmd *exec.Cmd, alone bool) error {
	if alone {
		ownSession(cmd)
	}
	var family family
	ended := false
	cmd.WaitDelay = endGrace
	cmd.Cancel = func() error { // Run waits for it
		ended = true
		family = familyOf(cmd, alone)
		return family.terminate()
	}
	err := cmd.Run()
	if ended {
		family.kill()
	}
	if errors.Is(err, exec.ErrWaitDelay) && !ended {
		return nil // it has ended well, and something that it has left holds its output
	}
	return err
}
