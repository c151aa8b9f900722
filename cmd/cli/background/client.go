package background

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/internal/pause"
)

const (
	dialTimeout = 5 * time.Second

	// askTimeout bounds what a session answers at once.
	askTimeout = 10 * time.Second
)

// Client speaks to one session.
type Client struct {
	name   string
	client *http.Client
}

// Client speaks to the session of that name.
func (d Directory) Client(name string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		dialer := net.Dialer{Timeout: dialTimeout}
		conn, err := dialer.DialContext(ctx, "unix", d.path(name, socketSuffix))
		if err != nil {
			return nil, err
		}
		if err := checkPeer(conn.(*net.UnixConn)); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	return &Client{name: name, client: &http.Client{Transport: transport}}
}

// VersionError says that a session is of a devtun that speaks otherwise.
type VersionError struct {
	Name   string
	Reason string
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("session %q is of another version of devtun: %s", e.Name, e.Reason)
}

// ErrLost means that a session has ended in the middle of an answer.
var ErrLost = errors.New("the session has ended without a word")

// Snapshot is how the session stands.
func (c *Client) Snapshot(ctx context.Context) (s status.Snapshot, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	body, err := c.ask(ctx, http.MethodGet, "snapshot", nil)
	if err != nil {
		return s, err
	}
	defer body.Close()
	return s, json.NewDecoder(body).Decode(&s)
}

// Watch tells of the session as it stands and whenever that has changed, until it
// ends, which is no error, or ctx does, or tell fails.
func (c *Client) Watch(ctx context.Context, tell func(status.Snapshot) error) error {
	body, err := c.ask(ctx, http.MethodGet, "watch", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	decoder := json.NewDecoder(body)
	for {
		var s status.Snapshot
		err := decoder.Decode(&s)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("watch session %q: %w", c.name, err)
		}
		if err := tell(s); err != nil {
			return err
		}
	}
}

// Apply gives the session an order. The error is of the way to it; how it went is the
// outcome.
func (c *Client) Apply(ctx context.Context, order Order, tell func(Line)) (Outcome, error) {
	text, err := json.Marshal(order)
	if err != nil {
		return Outcome{}, err
	}
	return c.command(ctx, "apply", text, tell)
}

// Restart has the session start programs again: those named, or all.
func (c *Client) Restart(ctx context.Context, names []string, tell func(Line)) (Outcome, error) {
	text, err := json.Marshal(Restart{names})
	if err != nil {
		return Outcome{}, err
	}
	return c.command(ctx, "restart", text, tell)
}

// Down ends the session.
func (c *Client) Down(ctx context.Context, tell func(Line)) (Outcome, error) {
	return c.command(ctx, "down", nil, tell)
}

func (c *Client) command(ctx context.Context, what string, order []byte, tell func(Line)) (Outcome, error) {
	body, err := c.ask(ctx, http.MethodPost, what, order)
	if err != nil {
		return Outcome{}, err
	}
	defer body.Close()
	decoder := json.NewDecoder(body)
	for {
		var line Line
		switch err := decoder.Decode(&line); {
		case ctx.Err() != nil:
			return Outcome{}, context.Cause(ctx)
		case err != nil:
			return Outcome{}, fmt.Errorf("%w (session %q)", ErrLost, c.name)
		}
		if line.Done != nil {
			return *line.Done, nil
		}
		tell(line)
	}
}

// ask sends a request. The caller closes the answer.
func (c *Client) ask(ctx context.Context, method, what string, order []byte) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://session"+prefix+what, bytes.NewReader(order))
	if err != nil {
		return nil, err
	}
	answer, err := c.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("ask session %q: %w", c.name, err)
	}
	if answer.StatusCode != http.StatusOK {
		defer answer.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 1024))
		return nil, &VersionError{c.name, strings.TrimSpace(string(said))}
	}
	return answer.Body, nil
}

// awaitEvery is how often a session that is starting or ending is looked at.
const awaitEvery = 20 * time.Millisecond

// Await is Snapshot for a session that may just be starting. It fails with ErrNone if
// the session ends meanwhile.
func (c *Client) Await(ctx context.Context, d Directory) (status.Snapshot, error) {
	for {
		s, err := c.Snapshot(ctx)
		var version *VersionError
		switch {
		case err == nil, errors.As(err, &version):
			return s, err
		case !d.Runs(c.name):
			return s, fmt.Errorf("ask session %q: %w", c.name, ErrNone)
		}
		if ended := pause.Sleep(ctx, awaitEvery); ended != nil {
			return s, errors.Join(ended, err)
		}
	}
}

// ErrNone means that there is no such session.
var ErrNone = errors.New("no such session is running")
