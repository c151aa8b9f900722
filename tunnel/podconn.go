package tunnel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/mux"
)

const (
	// verdictTimeout bounds the wait for the error stream's word after the data
	// stream has ended. Servers end the error stream first.
	verdictTimeout = time.Second

	// maxVerdict bounds, in bytes, the message on an error stream.
	maxVerdict = 4 << 10
)

// RemoteError is what the pod's side (kubelet, container runtime) said on a
// connection's error stream.
type RemoteError struct{ Message string }

// Error says it in a user's words where they are known. The runtimes' own name
// network namespaces and addresses in there.
func (e *RemoteError) Error() string {
	switch {
	case e.SandboxGone():
		return "the pod's sandbox is gone"
	case e.Refused():
		return "connection refused: no process in the pod listens on that port on its loopback or on all addresses"
	case e.says("connection reset by peer"):
		return "connection reset by the process in the pod"
	case e.says("broken pipe"):
		return "the process in the pod has closed the connection, and was sent more"
	}
	// error forwarding port PORT to pod SANDBOX, uid UID: REASON
	_, rest, _ := strings.Cut(e.Message, ", uid ")
	_, reason, _ := strings.Cut(rest, ": ")
	return cmp.Or(reason, e.Message)
}

// Refused reports that the pod's process never saw the connection, so that
// another pod may be given all of it. The protocol has no code for that, only
// the runtimes' words: they dial inside the pod's network namespace, and say so
// when that, or finding the namespace, fails.
func (e *RemoteError) Refused() bool {
	return e.says("connection refused", "failed to connect to localhost") || e.SandboxGone()
}

// SandboxGone reports that the API connection was made for a sandbox of the pod's
// that is no more. The pod may have another by now, or another pod its name: an API
// connection made anew leads there.
func (e *RemoteError) SandboxGone() bool {
	return e.says(
		"failed to find sandbox", "network namespace for sandbox", "sandbox container is not running", // containerd
		"could not find sandbox", "PodSandbox with ID", "network namespace path of sandbox", // CRI-O
		"is not running", "container not running", // CRI-O, cri-dockerd
	)
}

func (e *RemoteError) says(any ...string) bool {
	return slices.ContainsFunc(any, func(words string) bool { return strings.Contains(e.Message, words) })
}

// podConn is one connection to a port of a pod: a data stream, and the error
// stream that says how it went.
type podConn struct {
	data     *mux.Stream
	errs     *mux.Stream
	reserved *reservation // on an API connection
	verdict  func() error // what the error stream said, see hear
	ended    atomic.Bool
}

var requestID atomic.Uint64

// openPodConn opens the pair of streams that the protocol asks for, at the same
// time: one round trip. Bytes may be written once it returns and not before,
// since servers drop what arrives ahead of their reply.
func openPodConn(ctx context.Context, apiConn *mux.Connection, port int, place *reservation) (*podConn, error) {
	id := []string{strconv.FormatUint(requestID.Add(1), 10)}
	headers := func(kind string) http.Header { // written in lower case, whatever they are here
		return http.Header{"streamtype": {kind}, "port": {strconv.Itoa(port)}, "requestid": id}
	}
	streams, err := apiConn.Open(ctx,
		mux.Opening{Headers: headers("error"), Ended: true}, // nothing is ever said there by the client
		mux.Opening{Headers: headers("data")})
	if err != nil {
		return nil, err
	}
	conn := &podConn{errs: streams[0], data: streams[1], reserved: place}
	conn.verdict = sync.OnceValue(conn.hear)
	return conn, nil
}

// Read returns io.EOF only if the pod's side ended in good order; what it
// complained of comes as a RemoteError.
func (c *podConn) Read(p []byte) (int, error) {
	n, err := c.data.Read(p)
	if err == nil {
		return n, nil
	}
	return n, cmp.Or(c.verdict(), err)
}

// hear waits, within bounds, for the end of the error stream and returns what it
// said as a RemoteError, nil if nothing. With it the server's part of the connection
// is over. The stream says it once, and both directions want to know: ask verdict.
func (c *podConn) hear() error {
	giveUp := time.AfterFunc(verdictTimeout, c.errs.Reset)
	text, _ := io.ReadAll(io.LimitReader(c.errs, maxVerdict))
	c.ended.Store(giveUp.Stop())
	if c.Over() {
		c.data.FailWrites()
	}
	message := strings.TrimSpace(string(text))
	if message == "" {
		return nil
	}
	c.data.MarkUnread()
	remote := &RemoteError{message}
	if remote.SandboxGone() {
		c.reserved.SandboxGone()
	}
	return remote
}

// Over reports that the server has ended the connection altogether: an end of
// the data stream alone is only the pod's half.
func (c *podConn) Over() bool { return c.ended.Load() }

// Write fails with the RemoteError that Read returns, if there is one, and with
// duplex.ErrFarSideGone once the server has ended both directions in good order.
func (c *podConn) Write(p []byte) (int, error) {
	n, err := 0, duplex.ErrFarSideGone
	if !c.Over() {
		n, err = c.data.Write(p)
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, mux.ErrReset):
		return n, cmp.Or(c.verdict(), err)
	case c.Over():
		return n, cmp.Or(c.verdict(), duplex.ErrFarSideGone)
	}
	return n, err
}

func (c *podConn) CloseWrite() error { return c.data.CloseWrite() }

// Abort resets both streams, which the server carries on to the pod.
func (c *podConn) Abort() {
	c.data.Reset()
	c.errs.Reset()
}

// Leave ends both streams and resets what is not ended by that: nobody waits for what the
// pod still has to say.
func (c *podConn) Leave() { mux.Leave(c.data, c.errs) }

// Close gives up what is left of both streams and the place in the pool.
func (c *podConn) Close() error {
	c.Abort()
	c.reserved.Release()
	return nil
}

// describePort is how messages name a pod's port.
func describePort(pod Pod, port int) string { return fmt.Sprintf("pod %s port %d", pod, port) }
