package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/e2e/testserver/content"
)

// slowAnswer is how long one side is silent after the other has ended its own.
const slowAnswer = 2 * time.Second

// bothEnds is one connection through an intercept, both of whose ends the test
// holds: the client's in the cluster, and the local process's.
type bothEnds struct {
	client, server *net.TCPConn
}

// oneOfOurs intercepts the tests' server with a local process, on port 7003 alone,
// that is the test itself.
func (n *namespace) oneOfOurs() (connect func(t *testing.T) bothEnds) {
	n.t.Helper()
	const local = "127.78.0.1"
	listener, err := net.Listen("tcp", local+":7003")
	require.NoError(n.t, err)
	n.t.Cleanup(func() { listener.Close() })
	_, _, at := n.interceptWeb("--to", local)
	return func(t *testing.T) bothEnds {
		t.Helper()
		client := dial(t, at(7003))
		_, err := client.Write([]byte("\n")) // tells the connections of one test from any other
		require.NoError(t, err)
		require.NoError(t, listener.(*net.TCPListener).SetDeadline(time.Now().Add(10*time.Second)))
		server, err := listener.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { server.Close() })
		require.NoError(t, server.SetDeadline(time.Now().Add(time.Minute)))
		_, err = io.ReadFull(server, make([]byte, 1))
		require.NoError(t, err)
		return bothEnds{client, server.(*net.TCPConn)}
	}
}

// sendAll sends content and the end; the error comes on the channel.
func sendAll(conn *net.TCPConn, seed uint64, size int64) <-chan error {
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(conn, content.Reader(seed, size))
		sent <- errors.Join(err, conn.CloseWrite())
	}()
	return sent
}

// requireAll reads to the end and wants just that content.
func requireAll(t *testing.T, conn *net.TCPConn, seed uint64, size int64) {
	t.Helper()
	sum := sha256.New()
	got, err := io.Copy(sum, conn)
	require.NoError(t, err, "after %d bytes", got)
	require.Equal(t, size, got)
	require.Equal(t, content.Hash(seed, size), hex.EncodeToString(sum.Sum(nil)))
}

// TestEitherSideMayEndFirst and the other goes on, after a pause, to its own end.
func TestEitherSideMayEndFirst(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	connect := n.oneOfOurs()
	const size = 16 << 20
	for name, c := range map[string]func(bothEnds) (first, second *net.TCPConn){
		"the client": func(b bothEnds) (first, second *net.TCPConn) { return b.client, b.server },
		"the server": func(b bothEnds) (first, second *net.TCPConn) { return b.server, b.client },
	} {
		t.Run(name, func(t *testing.T) {
			first, second := c(connect(t))
			_, err := io.WriteString(first, "that is all")
			require.NoError(t, err)
			require.NoError(t, first.CloseWrite())
			got, err := io.ReadAll(second)
			require.NoError(t, err)
			require.Equal(t, "that is all", string(got), "the end arrives")

			pause := time.NewTimer(slowAnswer) // the other's silence is what is tested
			<-pause.C
			sent := sendAll(second, 9, size)
			requireAll(t, first, 9, size) // all of the other's
			require.NoError(t, <-sent)
		})
	}
}

// TestAStalledClientGoesOn: after a while of not reading it gets all that the local
// process has sent, which was held up and not lost.
func TestAStalledClientGoesOn(t *testing.T) { stalledClientGoesOn(t, 3*time.Second, 64<<20) }

func stalledClientGoesOn(t *testing.T, pause time.Duration, size int64) {
	n := newNamespace(t).testserver("web", 1)
	connect := n.oneOfOurs()
	for name, c := range map[string]func(bothEnds) (reads, sends *net.TCPConn){
		"the client":        func(b bothEnds) (reads, sends *net.TCPConn) { return b.client, b.server },
		"the local process": func(b bothEnds) (reads, sends *net.TCPConn) { return b.server, b.client },
	} {
		t.Run(name, func(t *testing.T) {
			reads, sends := c(connect(t))
			t.Parallel() // the pauses, not the connecting
			require.NoError(t, sends.SetDeadline(time.Now().Add(pause+time.Minute)))
			sent := sendAll(sends, 10, size)
			awaitFull(t, reads)
			<-time.After(pause) // the reader's pause is what is tested
			for _, conn := range []*net.TCPConn{reads, sends} {
				require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
			}
			requireAll(t, reads, 10, size)
			require.NoError(t, <-sent)
		})
	}
}
