package loopback

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// runHolding runs a program that keeps lock open. The lock thus lasts as
// long as the program, even if this process is killed meanwhile: whoever takes
// the lock next finds the change made, or never to be made.
func runHolding(ctx context.Context, lock *os.File, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.ExtraFiles = []*os.File{lock}
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s %s: %w: %s", program, args, err, bytes.TrimSpace(out))
	}
	return nil
}
