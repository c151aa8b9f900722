package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// fakePod is a contender to a pod in this process whose ports are served as
// given: each handler speaks on one connection.
func fakePod(t *testing.T, handlers map[int]func(net.Conn)) *contender {
	t.Helper()
	var serving sync.WaitGroup
	c := &contender{name: "fake", answer: podName, addresses: map[int]string{}}
	for port, handle := range handlers {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		c.addresses[port] = listener.Addr().String()
		serving.Go(func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				serving.Go(func() { defer conn.Close(); handle(conn) })
			}
		})
		t.Cleanup(func() { listener.Close(); serving.Wait() })
	}
	return c
}

// sending answers with a number of bytes more, or fewer, than was asked for.
func sending(more int64) func(net.Conn) {
	return func(conn net.Conn) {
		line, _ := bufio.NewReader(conn).ReadString('\n')
		n, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		io.CopyN(conn, zeros{}, n+more)
	}
}

// receiving answers with hash and length of what came, changed by spoil.
func receiving(spoil func([]byte)) func(net.Conn) {
	return func(conn net.Conn) {
		input := bufio.NewReader(conn)
		line, _ := input.ReadString('\n')
		n, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		body := make([]byte, n)
		io.ReadFull(input, body)
		spoil(body)
		fmt.Fprintf(conn, "%x %d\n", sha256.Sum256(body), n)
	}
}

func echoing(spoil func([]byte)) func(net.Conn) {
	return func(conn net.Conn) {
		block := make([]byte, 4096)
		for {
			n, err := conn.Read(block)
			if err != nil {
				return
			}
			spoil(block[:n])
			conn.Write(block[:n])
		}
	}
}

func answering(text string) func(net.Conn) {
	return func(conn net.Conn) {
		bufio.NewReader(conn).ReadString('\n')
		io.WriteString(conn, text)
	}
}

// replying answers to one request, once it is there with its body.
func replying(text string) func(net.Conn) {
	return func(conn net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		io.Copy(io.Discard, request.Body)
		io.WriteString(conn, text)
	}
}

// mute takes all there is and closes when the client has given up.
func mute(conn net.Conn) {
	conn.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, conn)
}

func intact([]byte) {}

func flipped(p []byte) { p[len(p)-1] ^= 1 }

func TestExchanges(t *testing.T) {
	defer goleak.VerifyNone(t)
	const size = 1 << 20
	exchange := map[string]func(context.Context, *contender) error{
		"download": func(ctx context.Context, c *contender) error { _, err := download(ctx, c, size); return err },
		"several": func(ctx context.Context, c *contender) error {
			_, err := several(4, download)(ctx, c, size)
			return err
		},
		"upload":  func(ctx context.Context, c *contender) error { _, err := upload(ctx, c, size); return err },
		"echo":    func(ctx context.Context, c *contender) error { return echo(ctx, c, size) },
		"request": func(ctx context.Context, c *contender) error { _, err := requests(ctx, c, 20, 5); return err },
		"put":     func(ctx context.Context, c *contender) error { _, err := putting(dialHTTP1)(ctx, c, size); return err },
		"get":     func(ctx context.Context, c *contender) error { _, err := getting(dialHTTP1)(ctx, c, size); return err },
		"kept": func(ctx context.Context, c *contender) error {
			_, err := keptRequests("kept", dialHTTP1, 5, nil, nil).run(ctx, c)
			return err
		},
		"ping": func(ctx context.Context, c *contender) error {
			_, err := roundTrip("ping", 5, nil).run(ctx, c)
			return err
		},
	}
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n"
	for _, test := range []struct {
		name     string
		exchange string
		port     int
		handler  func(net.Conn)
		wrong    string // part of the error; "" if there is none
	}{
		{"whole download", "download", portSend, sending(0), ""},
		{"short download", "download", portSend, sending(-1), "answer ends after 1048575 bytes of 1048576"},
		{"whole downloads", "several", portSend, sending(0), ""},
		{"short downloads", "several", portSend, sending(-1), "answer ends"},
		{"whole upload", "upload", portReceive, receiving(intact), ""},
		{"changed upload", "upload", portReceive, receiving(flipped), "the pod got something else"},
		{"unanswered upload", "upload", portReceive, mute, "read answer"},
		{"whole echo", "echo", portEcho, echoing(intact), ""},
		{"changed echo", "echo", portEcho, echoing(flipped), "hash"},
		{"cut echo", "echo", portEcho, answering("x"), "echo 1048576 bytes"},
		{"request", "request", portHTTP, answering(ok + "testserver\n"), ""},
		{"wrong answer", "request", portHTTP, answering(ok + "testserver?"), "wrong answer"},
		{"refused request", "request", portHTTP, answering("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"),
			"wrong answer: 503"},
		{"short answer", "request", portHTTP, answering(ok + "test"), "read answer"},
		{"other answer to a body", "put", portHTTP, replying(ok + "other bytes"), `wrong answer: 200 OK: "other bytes"`},
		{"no answer to a body", "put", portHTTP, mute, "read answer"},
		{"wrong answer to one that is kept", "kept", portHTTP, replying(ok + "testserver?"), "wrong answer"},
		{"short body", "get", portHTTP, replying(ok + "other bytes"), "wrong answer: 200 OK, 11 bytes of 1048576"},
		{"cut body", "get", portHTTP, replying(ok + "cut"), "unexpected EOF"},
		{"ping", "ping", portEcho, echoing(intact), ""},
		{"changed ping", "ping", portEcho, echoing(flipped), "came back as"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := fakePod(t, map[int]func(net.Conn){test.port: test.handler})
			err := exchange[test.exchange](t.Context(), pod)
			if test.wrong == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.wrong)
			}
		})
	}
}

func TestRefusedConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	c := &contender{addresses: map[int]string{portSend: listener.Addr().String()}}
	_, err = download(t.Context(), c, 1)
	require.Error(t, err)
	_, err = request(t.Context(), c)
	require.ErrorContains(t, err, "no address for port 8080")
}
