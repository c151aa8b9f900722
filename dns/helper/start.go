package helper

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	// startTimeout bounds the start of a helper that asks nobody for anything.
	startTimeout = 20 * time.Second

	// cancelTimeout bounds the wait for the end of a question that was answered with
	// Ctrl-C: sudo may miss one that comes just when it has asked, and wants another.
	cancelTimeout = time.Minute

	// endTimeout bounds the wait for a helper's end.
	endTimeout = cleanTimeout + 2*time.Second
)

// Started is a helper that waits for its peer.
type Started struct {
	pid   int
	path  string        // of its socket
	ended chan struct{} // closed when its process has
}

// launch starts command, which is to become the helper, and waits until it says
// where it is. timeout bounds that wait; 0 is for a command that may ask the
// user for a password and has a limit of its own.
//
// A command with root's rights cannot be killed by this process. When ctx ends
// first it is left to its own limits: it ends at the latest when nobody comes. One
// that asks on the terminal gets the Ctrl-C too, and is waited for, or it would
// still be reading what is typed next.
func launch(ctx context.Context, timeout time.Duration, command *exec.Cmd) (*Started, error) {
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr := &tail{}
	if command.Stderr == nil {
		command.Stderr = stderr
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	s := &Started{pid: command.Process.Pid, ended: make(chan struct{})}
	announced := make(chan error, 1)
	go func() { // ends with the process
		announced <- s.readAnnouncement(out)
		_, _ = io.Copy(io.Discard, out)
		_ = command.Wait() // what it said tells more
		close(s.ended)
	}()
	select {
	case err = <-announced:
	case <-ctx.Done():
		if timeout == 0 {
			s.wait(cancelTimeout)
		}
		return nil, ctx.Err()
	}
	if err == nil {
		return s, nil
	}
	select {
	case <-s.ended: // for the last of its words
	case <-ctx.Done():
	}
	if said := stderr.String(); said != "" {
		return nil, errors.New(said)
	}
	return nil, err
}

// readAnnouncement reads the line that says where the helper is.
func (s *Started) readAnnouncement(out io.Reader) error {
	line, err := bufio.NewReaderSize(out, 1024).ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("it ended without a word: %w", unexpected(err))
	}
	var version int
	if _, err := fmt.Sscanf(string(line), announcement, &version, &s.path); err != nil {
		return fmt.Errorf("it said %q", strings.TrimSpace(string(line)))
	}
	if version != Version {
		return fmt.Errorf("it speaks version %d, not %d: was devtun replaced just now?", version, Version)
	}
	return nil
}

// Connect makes the calling process, as the user it is by now, the helper's peer.
func (s *Started) Connect(ctx context.Context) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", s.path)
	if err != nil {
		return nil, fmt.Errorf("connect to the helper: %w", err)
	}
	if _, err := checkPeer(conn.(*net.UnixConn), 0); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect to the helper: %w", err)
	}
	client := NewClient(conn.(*net.UnixConn))
	client.wait = func() { s.wait(endTimeout) }
	return client, nil
}

// wait waits for the helper's end, or for that long.
func (s *Started) wait(timeout time.Duration) {
	select {
	case <-s.ended:
	case <-time.After(timeout):
	}
}

// tail keeps the last line that was written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailLen = 4096 // bytes

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailLen):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := bytes.TrimSpace(t.text)
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}
