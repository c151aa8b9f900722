package leftover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Orphans that have nothing to know them by are known by who adopts them, which
// also waits for those that end.
func TestAdopt(t *testing.T) {
	var out strings.Builder
	cmd := exec.Command("/proc/self/exe", adoptMode)
	cmd.Stderr = &out
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer in.Close() // ends what the helper may have left
	require.NoError(t, cmd.Run(), "%s", &out)
}

// adopt is the inner half of TestAdopt: what it makes is for its whole process.
func adopt() error {
	before, err := Take(context.Background())
	if err != nil {
		return err
	}
	stays, end, err := adoptOrphan()
	if err != nil {
		return err
	}
	defer end()
	run := Run{Ignore: func(line string) bool { return !strings.HasPrefix(line, fmt.Sprintf("process %d ", stays)) }}
	now, err := Take(context.Background())
	if err != nil {
		return err
	}
	left := run.New(before, now)
	if len(left) != 1 || !strings.HasSuffix(left[0], ", known by its parent)") {
		return fmt.Errorf("left are %q", left)
	}

	goes, endOther, err := adoptOrphan()
	if err != nil {
		return err
	}
	lasting := exec.Command("/proc/self/exe", waitMode)
	hold, err := lasting.StdinPipe()
	if err != nil {
		return err
	}
	adopted := make(chan error, 1)
	go func() { adopted <- Adopt(lasting) }()
	endOther()
	for deadline := time.Now().Add(testTimeout); syscall.Kill(goes, 0) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return errors.New("an orphan that has ended is still there")
		}
	}
	hold.Close()
	return <-adopted
}

// adoptOrphan makes an orphan of a clean environment and adopts it.
func adoptOrphan() (pid int, end func(), err error) {
	in, hold, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	defer in.Close()
	out, write, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	defer out.Close()
	defer write.Close()
	cmd := exec.Command("/proc/self/exe", orphanMode)
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.Stdin, cmd.Stdout = in, write
	if err := Adopt(cmd); err != nil {
		return 0, nil, err
	}
	_, err = fmt.Fscanln(out, &pid)
	return pid, func() { hold.Close() }, err
}
