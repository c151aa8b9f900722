package podproxy

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const asked = "GET / HTTP/1.1\r\nHost: pod\r\nConnection: Upgrade\r\nUpgrade: devtun\r\n\r\n"

// greets asks for the upgrade, and shakes hands as somebody who knows what a session says for
// all to hear.
func greets(k *keeper, conn net.Conn, config *tls.Config) error {
	config.InsecureSkipVerify = true
	if config.ServerName == "" {
		config.ServerName = serverName(k.own.public)
	}
	if err := upgraded(conn); err != nil {
		return err
	}
	client := tls.Client(conn, config)
	if err := client.Handshake(); err != nil {
		return err
	}
	return welcomed(client)
}

func upgraded(conn net.Conn) error {
	if _, err := io.WriteString(conn, asked); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, len(switching)))
	return err
}

// heard is what comes of saying nothing more.
func heard(conn net.Conn) error {
	_, err := conn.Read(make([]byte, 1))
	return err
}

// strangers do to the port what its session does not, and return what ends that.
func strangers(t *testing.T) map[string]func(*keeper, net.Conn) error {
	other, err := newIdentity()
	require.NoError(t, err)
	return map[string]func(*keeper, net.Conn) error{
		"says nothing": func(_ *keeper, conn net.Conn) error { return heard(conn) },
		"goes at once": func(_ *keeper, conn net.Conn) error { conn.Close(); return io.EOF },
		"garbage": func(_ *keeper, conn net.Conn) error {
			conn.Write(bytes.Repeat([]byte{0xff}, 1<<10))
			return heard(conn)
		},
		"TLS at once": func(_ *keeper, conn net.Conn) error {
			return tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).Handshake()
		},
		"asks for a page": func(_ *keeper, conn net.Conn) error {
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: pod\r\n\r\n")
			answer, err := io.ReadAll(conn)
			require.Equal(t, required, string(answer))
			return cmp.Or(err, io.EOF)
		},
		"an endless request": func(_ *keeper, conn net.Conn) error {
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: pod\r\n")
			for {
				if _, err := io.WriteString(conn, strings.Repeat("X-More: more\r\n", 100)); err != nil {
					return err
				}
			}
		},
		"a slow request": func(_ *keeper, conn net.Conn) error {
			for _, b := range []byte(strings.Repeat(asked, 10)) {
				if _, err := conn.Write([]byte{b}); err != nil {
					return err
				}
				time.Sleep(10 * time.Millisecond) // that is what it is about
			}
			return nil
		},
		"a handshake without an end": func(_ *keeper, conn net.Conn) error {
			io.WriteString(conn, asked)
			record := append([]byte{22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff}, make([]byte, 1<<14-4)...)
			for {
				if _, err := conn.Write(record); err != nil {
					return err
				}
			}
		},
		"a slow handshake": func(_ *keeper, conn net.Conn) error {
			if err := upgraded(conn); err != nil {
				return err
			}
			conn.Write([]byte{22, 3, 1, 2})
			return heard(conn)
		},
		"an older TLS": func(k *keeper, conn net.Conn) error {
			return greets(k, conn,
				&tls.Config{MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{k.own.certificate}})
		},
		"another name": func(k *keeper, conn net.Conn) error {
			return greets(k, conn, &tls.Config{ServerName: "agent", Certificates: []tls.Certificate{k.own.certificate}})
		},
		"no certificate": func(k *keeper, conn net.Conn) error { return greets(k, conn, &tls.Config{}) },
		"another key": func(k *keeper, conn net.Conn) error {
			return greets(k, conn, &tls.Config{Certificates: []tls.Certificate{other.certificate}})
		},
		"the session's certificate without its key": func(k *keeper, conn net.Conn) error {
			return greets(k, conn, &tls.Config{Certificates: []tls.Certificate{{
				Certificate: k.own.certificate.Certificate, PrivateKey: other.certificate.PrivateKey,
			}}})
		},
	}
}

// TestStrangersGetNothing: none of them is added to the link, or kept for long, and the
// session that comes afterwards is served.
func TestStrangersGetNothing(t *testing.T) {
	for name, tries := range strangers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			k := w.agree()
			conn, err := net.Dial("tcp", w.address)
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(time.Now().Add(testTimeout)))
			err = tries(k, conn)
			require.Error(t, err)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the agent ends it")
			require.Empty(t, w.agent.added)
			require.NoError(t, k.add(t.Context()))
			carries(t, w.session.next(t), w.agent.next(t))
		})
	}
}

// TestWhatASessionSaidIsOfNoUseAgain replays all that it said on a connection.
func TestWhatASessionSaidIsOfNoUseAgain(t *testing.T) {
	w := newWorld(t)
	k := w.agree()
	var said bytes.Buffer
	k.dial = func(context.Context, int) (io.ReadWriteCloser, error) {
		conn, err := net.Dial("tcp", w.address)
		if err != nil {
			return nil, err
		}
		return recorded{conn, &said}, upgraded(conn)
	}
	require.NoError(t, k.add(t.Context()))
	carries(t, w.session.next(t), w.agent.next(t))

	conn, err := net.Dial("tcp", w.address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(testTimeout)))
	require.NoError(t, upgraded(conn))
	_, _ = conn.Write(said.Bytes()) // the agent may end it before all is written
	_, err = io.Copy(io.Discard, conn)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the agent ends it")
	require.Empty(t, w.agent.added)
}

// recorded keeps what is written.
type recorded struct {
	net.Conn
	said *bytes.Buffer
}

func (r recorded) Write(p []byte) (int, error) {
	r.said.Write(p)
	return r.Conn.Write(p)
}

// TestACrowdKeepsNobodyOut has a thousand come at once who say nothing, or just enough to be
// waited for.
func TestACrowdKeepsNobodyOut(t *testing.T) {
	w := newWorld(t)
	k := w.agree()
	before := runtime.NumGoroutine()
	for i := range 1000 {
		conn, err := net.Dial("tcp", w.address)
		require.NoError(t, err)
		defer conn.Close()
		if i%2 == 0 {
			_, err = io.WriteString(conn, asked)
			require.NoError(t, err)
		}
	}
	began := time.Now()
	require.NoError(t, k.add(t.Context()))
	require.Less(t, time.Since(began), time.Second)
	carries(t, w.session.next(t), w.agent.next(t))
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+3*maxPending },
		testTimeout, 10*time.Millisecond)
}

// TestBytesThatComeEarlyAreNotLost: what follows the request at once is part of the handshake.
func TestBytesThatComeEarlyAreNotLost(t *testing.T) {
	w := newWorld(t)
	k := w.agree()
	k.dial = func(context.Context, int) (io.ReadWriteCloser, error) {
		conn, err := net.Dial("tcp", w.address)
		return &hasty{Conn: conn}, err
	}
	require.NoError(t, k.add(t.Context()))
	carries(t, w.session.next(t), w.agent.next(t))
}

// hasty sends its request together with what follows it, and skips the answer to it.
type hasty struct {
	net.Conn
	began, answered bool
}

func (h *hasty) Write(p []byte) (int, error) {
	if h.began {
		return h.Conn.Write(p)
	}
	h.began = true
	n, err := h.Conn.Write(append([]byte(asked), p...))
	return max(0, n-len(asked)), err
}

func (h *hasty) Read(p []byte) (int, error) {
	if !h.answered {
		h.answered = true
		if _, err := io.ReadFull(h.Conn, make([]byte, len(switching))); err != nil {
			return 0, err
		}
	}
	return h.Conn.Read(p)
}
