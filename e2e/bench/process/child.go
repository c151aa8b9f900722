// Package process starts programs on this machine, and reads of /proc what processes
// use.
package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// ReadyTimeout bounds the wait for a child's word that it is ready.
	ReadyTimeout = 60 * time.Second

	// killDelay is what a child has to end after SIGTERM.
	killDelay = 10 * time.Second

	// maxComplaint bounds, in bytes, what is kept of a child's stderr.
	maxComplaint = 8 << 10
)

// Child is a process that was started here, which its owner closes.
type Child struct {
	PID   int
	Ready time.Duration // from its start to its word that it is ready

	cmd       *exec.Cmd
	stop      context.CancelFunc
	listening sync.WaitGroup
	complaint *head
}

// Start starts a program and returns once hear, which is given each line
// of its stdout, has returned true. It fails when the program ends before that.
func Start(ctx context.Context, hear func(line string) bool, program string, args ...string) (*Child, error) {
	return StartWith(ctx, nil, hear, program, args...)
}

// StartWith is Start with such variables, NAME=VALUE each, beside those of this process.
func StartWith(ctx context.Context, variables []string, hear func(line string) bool, program string, args ...string) (
	*Child, error) {
	life, stop := context.WithCancel(context.WithoutCancel(ctx)) // until Close, which the owner promises
	c := &Child{stop: stop, complaint: &head{limit: maxComplaint}}
	c.cmd = exec.CommandContext(life, program, args...)
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = killDelay
	c.cmd.Stderr = c.complaint
	c.cmd.Env = append(os.Environ(), variables...)
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		stop()
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	began := time.Now()
	if err := c.cmd.Start(); err != nil {
		stop()
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	c.PID = c.cmd.Process.Pid

	ready, ended := make(chan time.Time, 1), make(chan struct{})
	c.listening.Go(func() {
		defer close(ended)
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 1<<20)
		for told := false; lines.Scan(); { // to the end: nobody may block the child
			if !told && hear(lines.Text()) {
				told = true
				ready <- time.Now()
			}
		}
	})
	late := time.NewTimer(ReadyTimeout)
	defer late.Stop()
	select {
	case at := <-ready:
		c.Ready = at.Sub(began)
		return c, nil
	case <-ended:
		err = errors.New("it ended")
	case <-late.C:
		err = fmt.Errorf("not ready after %v", ReadyTimeout)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	c.Close()
	return nil, fmt.Errorf("start %s %s: %w: %s", program, strings.Join(args, " "), err, c.complaint)
}

// Close ends the process and waits for it. How it ends is its own affair:
// kubectl, for one, calls SIGTERM a failure.
func (c *Child) Close() {
	c.stop()
	c.listening.Wait()
	_ = c.cmd.Wait()
}

// head keeps the first bytes of what is written to it.
type head struct {
	limit int

	mu   sync.Mutex
	kept []byte
}

var _ io.Writer = (*head)(nil)

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = append(h.kept, p[:min(len(p), h.limit-len(h.kept))]...)
	return len(p), nil
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.TrimSpace(string(h.kept))
}
