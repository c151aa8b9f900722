package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/devtun/devtun/e2e/testserver/content"
	"github.com/devtun/devtun/e2e/testserver/echo"
)

const (
	// gigabyte is more than what any buffer on the way holds.
	gigabyte = 1 << 30
	// transfer is what large transfers carry, as many bytes as a few windows and all
	// buffers on the way hold several times.
	transfer = 128 << 20
)

// dial connects to a forward, for at most a minute.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return conn.(*net.TCPConn)
}

// who asks a forward of the test server, on a connection of its own.
func who(ctx context.Context, addr string) (string, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/who", nil)
	if err != nil {
		return "", err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestProtocols(t *testing.T) { protocols(t, sharedWeb(t), portForward) }

func protocols(t *testing.T, n *namespace, by way) {
	d := by.start(t, "-n", n.name, "-v")
	at := func(port int) string { return d.addr("web", port) }
	speakAll(t, "web-", at, transfer)
	if by.halfCloses {
		answersAfterTheEnd(t, at)
	}

	t.Run("client connects and leaves without a byte", func(t *testing.T) {
		mark := d.mark()
		dial(t, at(7000)).Close()
		requireConnection(t, d, mark, "client closed")
	})

	t.Run("server resets", func(t *testing.T) {
		mark := d.mark()
		conn := dial(t, at(7002))
		fmt.Fprintln(conn, "go")
		_, err := io.ReadAll(conn)
		require.ErrorContains(t, err, "reset")
		requireConnection(t, d, mark, by.reset)
	})

	t.Run("client resets", func(t *testing.T) {
		mark := d.mark()
		conn := dial(t, at(7000))
		fmt.Fprintln(conn, "x")
		conn.SetLinger(0)
		conn.Close()
		requireConnection(t, d, mark, "reset by the client")
	})

	t.Run("refused port", func(t *testing.T) {
		mark := d.mark()
		conn := dial(t, at(7999))
		_, err := conn.Read(make([]byte, 1))
		require.ErrorContains(t, err, "reset")
		requireConnection(t, d, mark, by.refused)
	})
}

// answersAfterTheEnd has the server begin its answer when it has seen the end of what the
// client sends.
func answersAfterTheEnd(t *testing.T, at func(port int) string) {
	const size = 16 << 20
	for name, c := range map[string]struct {
		port int
		sent io.Reader
		want string
	}{
		"hash of all":        {7005, content.Reader(9, size), fmt.Sprintf("%s %d\n", content.Hash(9, size), size)},
		"echo, and its hash": {7000, strings.NewReader("hello"), "hello" + hashOf("hello") + "\n"},
		"late":               {7003, strings.NewReader("2000\n"), "answer after 2s\n"},
	} {
		t.Run("answers after the end: "+name, func(t *testing.T) {
			conn := dial(t, at(c.port))
			_, err := io.Copy(conn, c.sent)
			require.NoError(t, err)
			require.NoError(t, conn.CloseWrite())
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))
		})
	}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// requireConnection waits for the word on a connection that ended after mark.
func requireConnection(t *testing.T, d *devtun, mark int, reason string) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, e := range d.since(mark) {
			if e.Type == "connection" && e.Reason == reason {
				return true
			}
		}
		return false
	}, 10*time.Second, 10*time.Millisecond, "no connection ended as %q", reason)
}

// speakAll speaks every protocol with the tests' server, whose service's ports are
// found at the addresses that at gives, and whose host's name begins with host. Large
// transfers are of so many bytes.
func speakAll(t *testing.T, host string, at func(port int) string, transfer int64) {
	t.Run("HTTP keep-alive", func(t *testing.T) {
		kept := keep(t, at(80))
		for range 200 {
			require.NoError(t, kept.ask())
		}
	})

	t.Run("WebSocket", func(t *testing.T) {
		conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+at(80)+"/ws", nil)
		require.NoError(t, err)
		defer conn.Close()
		for size := 1; size < 1<<20; size *= 7 {
			message := bytes.Repeat([]byte{'x'}, size)
			require.NoError(t, conn.WriteMessage(websocket.BinaryMessage, message))
			kind, got, err := conn.ReadMessage()
			require.NoError(t, err)
			require.Equal(t, websocket.BinaryMessage, kind)
			require.Equal(t, message, got)
		}
	})

	t.Run("gRPC", func(t *testing.T) {
		conn, err := grpc.NewClient("passthrough:///"+at(9000), grpc.WithTransportCredentials(insecure.NewCredentials()))
		require.NoError(t, err)
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		answer, trailer, err := echo.Say(ctx, conn, []byte("hello"))
		require.NoError(t, err)
		require.Equal(t, "hello", string(answer))
		require.Contains(t, trailer.Get(echo.HostTrailer)[0], host)
		chat, err := echo.Chat(ctx, conn)
		require.NoError(t, err)
		for i := range 100 {
			message := fmt.Appendf(nil, "message %d", i)
			require.NoError(t, chat.Send(message))
			got, err := chat.Receive()
			require.NoError(t, err)
			require.Equal(t, message, got)
		}
		require.NoError(t, chat.CloseSend())
		_, err = chat.Receive()
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, []string{"100"}, chat.Trailer().Get(echo.CountTrailer))
	})

	t.Run("down", func(t *testing.T) {
		response, err := http.Get(fmt.Sprintf("http://%s/bytes?n=%d&seed=7", at(80), transfer))
		require.NoError(t, err)
		defer response.Body.Close()
		hash := sha256.New()
		got, err := io.Copy(hash, response.Body)
		require.NoError(t, err)
		require.EqualValues(t, transfer, got)
		require.Equal(t, content.Hash(7, transfer), hex.EncodeToString(hash.Sum(nil)))
	})

	t.Run("up", func(t *testing.T) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+at(80)+"/hash",
			content.Reader(8, transfer))
		require.NoError(t, err)
		request.ContentLength = transfer
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Contains(t, string(answer), content.Hash(8, transfer))
	})

	t.Run("client half-closes, what is echoed arrives whole", func(t *testing.T) {
		conn := dial(t, at(7000))
		sent := make([]byte, 32<<20)
		rand.Read(sent)
		var writing sync.WaitGroup
		writing.Go(func() {
			conn.Write(sent)
			conn.CloseWrite()
		})
		got := make([]byte, len(sent))
		_, err := io.ReadFull(conn, got)
		require.NoError(t, err)
		require.True(t, bytes.Equal(sent, got))
		writing.Wait()
		_, err = io.Copy(io.Discard, conn)
		require.NoError(t, err, "and then the end")
	})

	t.Run("pod half-closes, the end arrives", func(t *testing.T) {
		conn := dial(t, at(7004))
		fmt.Fprintln(conn, 32<<20)
		got, err := io.Copy(io.Discard, conn)
		require.NoError(t, err)
		require.EqualValues(t, 32<<20, got)
	})

	t.Run("server speaks first", func(t *testing.T) {
		conn := dial(t, at(7001))
		lines := bufio.NewReader(conn)
		greeting, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(greeting, "220 "+host), greeting)
		fmt.Fprintln(conn, "hello")
		answer, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "hello\n", answer)
	})
}
