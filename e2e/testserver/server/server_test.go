package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/devtun/devtun/e2e/testserver/content"
	"github.com/devtun/devtun/e2e/testserver/echo"
)

const testTimeout = 10 * time.Second

// start runs all services on ports of the kernel's choice and returns where
// each is; they end with the test.
func start(t *testing.T) (addr func(port int) string) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return run(t, Serve)
}

// run has the listeners served until the test ends, and returns where each is.
func run(t *testing.T, serve func(context.Context, map[int]net.Listener) error) (addr func(port int) string) {
	listeners, err := Listen(func(int) string { return "127.0.0.1:0" })
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var group errgroup.Group
	group.Go(func() error { return serve(ctx, listeners) })
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		require.NoError(t, group.Wait())
	})
	return func(port int) string { return listeners[port].Addr().String() }
}

func dial(t *testing.T, addr string) *net.TCPConn {
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(testTimeout)))
	return conn.(*net.TCPConn)
}

// exchange writes in, half-closes, and returns all that comes back.
func exchange(t *testing.T, addr, in string) string {
	conn := dial(t, addr)
	_, err := io.WriteString(conn, in)
	require.NoError(t, err)
	require.NoError(t, conn.CloseWrite())
	out, err := io.ReadAll(conn)
	require.NoError(t, err)
	return string(out)
}

func request(t *testing.T, method, url string, body io.Reader) (*http.Response, []byte) {
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, text
}

func TestTCP(t *testing.T) {
	addr := start(t)
	const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	for name, test := range map[string]struct {
		port     int
		in, want string
	}{
		"echo":                   {7000, "hello", "hello" + hello + "\n"},
		"speaks first":           {7001, "one\ntwo\n", "220 " + hostname() + " ready\r\none\ntwo\n"},
		"late":                   {7003, "20\n", "answer after 20ms\n"},
		"send":                   {7004, "5\n", "\x00\x00\x00\x00\x00"},
		"send nothing":           {7004, "0\n", ""},
		"send what":              {7004, "many\n", "read number: \"many\" is none\n"},
		"receive":                {7005, "hello", hello + " 5\n"},
		"receive counted":        {7006, "5\nhello", hello + " 5\n"},
		"receive counted, short": {7006, "9\nhello", hello + " 5\n"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, exchange(t, addr(test.port), test.in))
		})
	}
}

func TestSpeaksFirstWithoutInput(t *testing.T) {
	addr := start(t)
	line, err := bufio.NewReader(dial(t, addr(7001))).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "220 "+hostname()+" ready\r\n", line)
}

func TestReset(t *testing.T) {
	addr := start(t)
	conn := dial(t, addr(7002))
	_, err := io.WriteString(conn, "go\n")
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.True(t, errors.Is(err, syscall.ECONNRESET) || strings.Contains(err.Error(), "reset"), err)
}

func TestReceiveCountedNeedsNoHalfClose(t *testing.T) {
	addr := start(t)
	conn := dial(t, addr(7006))
	const n = 8 << 20
	_, err := io.Copy(conn, io.MultiReader(strings.NewReader(fmt.Sprintf("%d\n", n)), content.Reader(3, n)))
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%s %d\n", content.Hash(3, n), n), string(answer))
}

func TestSendsALot(t *testing.T) {
	addr := start(t)
	const n = 100<<20 + 17
	conn := dial(t, addr(7004))
	fmt.Fprintf(conn, "%d\n", n)
	got, err := io.Copy(io.Discard, conn)
	require.NoError(t, err)
	require.EqualValues(t, n, got)
}

func TestHTTP(t *testing.T) {
	addr := start(t)
	url := "http://" + addr(8080)

	_, text := request(t, http.MethodGet, url+"/who", nil)
	require.Equal(t, hostname()+"\n", string(text))
	resp, _ := request(t, http.MethodGet, url+"/ready", nil)
	require.Equal(t, http.StatusOK, resp.StatusCode)

	const n = 5<<20 + 3
	resp, text = request(t, http.MethodGet, fmt.Sprintf("%s/bytes?n=%d&seed=9", url, n), nil)
	require.EqualValues(t, n, resp.ContentLength)
	want, err := io.ReadAll(content.Reader(9, n))
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, text), "the bytes differ")

	for _, method := range []string{http.MethodPut, http.MethodPost} {
		_, text = request(t, method, url+"/hash", content.Reader(9, n))
		require.Equal(t, fmt.Sprintf("%s %d\n", content.Hash(9, n), n), string(text))
	}

	_, text = request(t, http.MethodGet, url+"/slow?d=10ms", nil)
	require.Equal(t, "slept 10ms\n", string(text))

	for _, bad := range []string{"/bytes", "/bytes?n=-1", "/bytes?n=1&seed=x", "/slow", "/slow?d=long"} {
		resp, _ = request(t, http.MethodGet, url+bad, nil)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, bad)
	}
}

func TestWebSocket(t *testing.T) {
	addr := start(t)
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+addr(8080)+"/ws", nil)
	require.NoError(t, err)
	defer conn.Close()
	for _, kind := range []int{websocket.TextMessage, websocket.BinaryMessage} {
		require.NoError(t, conn.WriteMessage(kind, []byte("hello")))
		gotKind, got, err := conn.ReadMessage()
		require.NoError(t, err)
		require.Equal(t, kind, gotKind)
		require.Equal(t, "hello", string(got))
	}
}

func TestGRPC(t *testing.T) {
	addr := start(t)
	conn, err := grpc.NewClient(addr(9000), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()

	answer, trailer, err := echo.Say(ctx, conn, []byte("hello"))
	require.NoError(t, err)
	require.Equal(t, "hello", string(answer))
	require.Equal(t, []string{hostname()}, trailer.Get(echo.HostTrailer))

	chat, err := echo.Chat(ctx, conn)
	require.NoError(t, err)
	for i := range 3 {
		message := fmt.Sprintf("message %d", i)
		require.NoError(t, chat.Send([]byte(message)))
		answer, err := chat.Receive()
		require.NoError(t, err)
		require.Equal(t, message, string(answer))
	}
	require.NoError(t, chat.CloseSend())
	_, err = chat.Receive()
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []string{"3"}, chat.Trailer().Get(echo.CountTrailer))

	state, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, state.Status)

	_, err = testgrpc.NewTestServiceClient(conn).EmptyCall(ctx, &testgrpc.Empty{})
	require.NoError(t, err)
}

func TestWhatIsUnderWayEnds(t *testing.T) {
	listeners, err := Listen(func(int) string { return "127.0.0.1:0" })
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, listeners) }()

	conn := dial(t, listeners[7000].Addr().String())
	_, err = io.WriteString(conn, "he")
	require.NoError(t, err)
	_, err = io.ReadFull(conn, make([]byte, 2)) // accepted, then
	require.NoError(t, err)
	cancel()
	require.Eventually(t, func() bool {
		probe, err := net.Dial("tcp", listeners[7000].Addr().String())
		if err == nil {
			probe.Close()
		}
		return err != nil
	}, testTimeout, time.Millisecond, "the listener is still there")

	_, err = io.WriteString(conn, "llo")
	require.NoError(t, err)
	require.NoError(t, conn.CloseWrite())
	rest, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(rest), "llo2cf24dba"), string(rest))
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(testTimeout):
		t.Fatal("it does not end")
	}
}

// TestStore keeps what it is given, for as long as it runs.
func TestStore(t *testing.T) {
	url := "http://" + start(t)(8080)
	ask := func(method, path string) string {
		request, err := http.NewRequestWithContext(t.Context(), method, url+path, nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return string(body)
	}
	require.Equal(t, "0 keys\n", ask(http.MethodGet, "/keys"))
	require.Equal(t, "3 keys\n", ask(http.MethodPost, "/keys?n=3"))
	require.Equal(t, "5 keys\n", ask(http.MethodPost, "/keys?n=2"))
	require.Equal(t, "5 keys\n", ask(http.MethodGet, "/keys"))
	require.Contains(t, ask(http.MethodPost, "/keys?n=x"), "want a number")
	t.Setenv("OF_A_TEST", "secret")
	require.Contains(t, ask(http.MethodGet, "/variables"), "OF_A_TEST\n")
	require.NotContains(t, ask(http.MethodGet, "/variables"), "secret")
}
