package tunneltest

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// These are containerd 1.6's habits, measured on a real kubelet, which package
// tunnel has to live with.

func TestClientHalfClose(t *testing.T) {
	eachTransport(t, func(t *testing.T, dial newDialer) {
		srv := startServer(t)
		srv.SetLinger(containerdLinger)
		pod := srv.Pod("demo", "back-0")
		pod.Serve(7000, echo)
		conn := connect(t, dial(t, srv, "demo", "back-0"))

		p := openPair(t, conn, 0, 7000)
		const total = 4 << 20
		writing := make(chan error, 1)
		go func() {
			_, err := io.CopyN(p.data, zeros{}, total)
			if err == nil {
				err = p.data.Close()
			}
			writing <- err
		}()
		got, err := io.Copy(io.Discard, p.data)
		require.NoError(t, err)
		require.NoError(t, <-writing)
		require.EqualValues(t, total, got, "what is under way when the client half-closes arrives")
	})
}

func TestAnswerAfterEndOfInputIsLost(t *testing.T) {
	const linger = 200 * time.Millisecond
	srv := startServer(t)
	srv.SetLinger(linger)
	ended := make(chan time.Time, 1)
	srv.Pod("demo", "back-0").Serve(7003, func(c net.Conn) {
		io.Copy(io.Discard, c)
		ended <- time.Now()
		io.WriteString(c, "too late")
	})
	conn := connect(t, spdyDialer(t, srv, "demo", "back-0"))

	p := openPair(t, conn, 0, 7003)
	start := time.Now()
	require.NoError(t, p.data.Close())
	answer, err := io.ReadAll(p.data)
	require.NoError(t, err)
	require.Empty(t, answer)
	require.GreaterOrEqual(t, (<-ended).Sub(start), linger, "the end of input comes late")
	require.Empty(t, p.message(t), "and nothing is said")
}

func TestServerCloseIsSeenLate(t *testing.T) {
	const linger = 200 * time.Millisecond
	srv := startServer(t)
	srv.SetLinger(linger)
	answered := time.Now() // or a little later
	srv.Pod("demo", "back-0").Serve(7001, func(c net.Conn) {
		io.WriteString(c, "bye")
		c.Close()
	})
	conn := connect(t, spdyDialer(t, srv, "demo", "back-0"))

	waiting := openPair(t, conn, 0, 7001)
	answer, err := io.ReadAll(waiting.data)
	require.NoError(t, err)
	require.Equal(t, "bye", string(answer))
	require.GreaterOrEqual(t, time.Since(answered), linger, "client's side left open")

	srv.SetLinger(time.Hour)
	closing := openPair(t, conn, 1, 7001)
	require.NoError(t, closing.data.Close())
	_, err = io.ReadAll(closing.data)
	require.NoError(t, err, "at once, as the client's side is closed")
}

func TestServerReset(t *testing.T) {
	srv := startServer(t)
	srv.Pod("demo", "back-0").Serve(7002, func(c net.Conn) {
		c.Read(make([]byte, 1))
		c.(*net.TCPConn).SetLinger(0)
	})
	conn := connect(t, spdyDialer(t, srv, "demo", "back-0"))

	p := openPair(t, conn, 0, 7002)
	_, err := io.WriteString(p.data, "x")
	require.NoError(t, err)
	message := p.message(t)
	require.Contains(t, message, "failed to execute portforward in network namespace")
	require.Contains(t, message, "connection reset by peer")
}

func TestPodThatDoesNotReadBlocksItsSiblings(t *testing.T) {
	srv := startServer(t)
	pod := srv.Pod("demo", "back-0")
	pod.Serve(8080, echo)
	release := make(chan struct{})
	pod.Serve(7005, func(net.Conn) { <-release })
	defer close(release)
	conn := connect(t, spdyDialer(t, srv, "demo", "back-0"))
	sibling := openPair(t, conn, 0, 8080)
	sibling.roundTrip(t, "before")

	stuck := openPair(t, conn, 1, 7005)
	var sent atomic.Int64
	writing := make(chan struct{})
	go func() {
		defer close(writing)
		io.Copy(stuck.data, io.TeeReader(zeros{}, counter{&sent}))
	}()
	last := int64(-1) // until the buffers on the way are full
	require.Eventually(t, func() bool {
		standing := sent.Load() == last
		last = sent.Load()
		return standing
	}, testTimeout, 200*time.Millisecond)

	answer := make(chan struct{})
	go func() {
		defer close(answer)
		io.WriteString(sibling.data, "x")
		sibling.data.Read(make([]byte, 1))
	}()
	select {
	case <-answer:
		t.Fatal("the sibling works: uploads may share connections after all")
	case <-time.After(500 * time.Millisecond): // nothing to wait for: nothing may happen
	}
	srv.Drop()
	<-answer
	<-writing
}

// counter counts what is written to it.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
