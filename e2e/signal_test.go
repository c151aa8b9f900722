package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// signalTime is what devtun may take to end, whatever is under way.
const signalTime = 2 * time.Second

// situations are what may be under way on a service's address when a signal
// comes. Each returns a connection, if there is one, that has to end with devtun.
var situations = map[string]func(t *testing.T, p *proxy, address string) net.Conn{
	"nothing": func(*testing.T, *proxy, string) net.Conn { return nil },
	"an open connection": func(t *testing.T, _ *proxy, address string) net.Conn {
		conn := connect(t, address, 7000)
		talk(t, conn, "hello\n")
		return conn
	},
	"a paused download": func(t *testing.T, _ *proxy, address string) net.Conn {
		conn := connect(t, address, 7004)
		_, err := fmt.Fprintln(conn, 10<<30)
		require.NoError(t, err)
		awaitFull(t, conn)
		return conn
	},
	"a connection on the way to a silent API server": func(t *testing.T, p *proxy, address string) net.Conn {
		p.hole.open.Store(true)
		return connect(t, address, 7000)
	},
}

func TestSignalsEndItAtOnce(t *testing.T) {
	n := sharedWeb(t)
	for name, signal := range map[string]os.Signal{"SIGINT": os.Interrupt, "SIGTERM": syscall.SIGTERM} {
		for situation, bring := range situations {
			t.Run(name+", "+situation, func(t *testing.T) {
				before := hostsFile(t)
				p := newProxy(t)
				d := launchForward(t, p.kubeconfig(), "-n", n.name)
				d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
				address := d.addr("web", 80)
				conn := bring(t, p, address)

				began := time.Now()
				require.NoError(t, d.cmd.Process.Signal(signal))
				select {
				case <-d.exited:
				case <-time.After(signalTime):
					require.FailNow(t, "devtun did not end in time")
				}
				t.Logf("it ended in %v", time.Since(began).Round(time.Millisecond))
				require.NoError(t, d.err, "exit code")
				require.Equal(t, "stopped", d.since(d.mark() - 1)[0].Type)
				require.Equal(t, before, hostsFile(t))
				_, err := net.DialTimeout("tcp", address, time.Second)
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				if conn != nil {
					requireEnded(t, conn)
				}
			})
		}
	}
}

// connect opens a connection to another port of an address. It is closed with
// the test.
func connect(t *testing.T, address string, port int) net.Conn {
	t.Helper()
	host, _, err := net.SplitHostPort(address)
	require.NoError(t, err)
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, fmt.Sprint(port)), time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// talk sends text to an echo.
func talk(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err := fmt.Fprint(conn, text)
	require.NoError(t, err)
	echo := make([]byte, len(text))
	_, err = io.ReadFull(conn, echo)
	require.NoError(t, err)
	require.Equal(t, text, string(echo))
}

// awaitFull waits until so much has come that no more does: nobody reads it.
func awaitFull(t *testing.T, conn net.Conn) {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	last := 0
	require.Eventually(t, func() bool {
		waiting := 0
		err := raw.Control(func(fd uintptr) { waiting, _ = unix.IoctlGetInt(int(fd), unix.SIOCINQ) })
		full := err == nil && waiting > 0 && waiting == last
		last = waiting
		return full
	}, 10*time.Second, 200*time.Millisecond)
}

// requireEnded reads what is left of a connection and wants an end of it.
func requireEnded(t *testing.T, conn net.Conn) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	buffer := make([]byte, 1<<20)
	for {
		if _, err := conn.Read(buffer); err != nil {
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			return
		}
	}
}
