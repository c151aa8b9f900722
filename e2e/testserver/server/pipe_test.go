package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/e2e/testserver/content"
)

// What is said through a pipe is what is said to the origin.
func TestPipe(t *testing.T) {
	origin := start(t)
	addr := run(t, func(ctx context.Context, listeners map[int]net.Listener) error {
		return Pipe(ctx, listeners, origin)
	})
	require.Equal(t, exchange(t, origin(7000), "one"), exchange(t, addr(7000), "one"))
	require.True(t, strings.HasPrefix(exchange(t, addr(7001), ""), "220 "))
	_, body := request(t, http.MethodPut, "http://"+addr(8080)+"/hash", content.Reader(3, 1<<20))
	require.Equal(t, content.Hash(3, 1<<20)+" 1048576\n", string(body))

	conn := dial(t, addr(7002))
	_, err := io.WriteString(conn, "reset\n")
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestPipeToNowhere(t *testing.T) {
	defer goleak.VerifyNone(t)
	t.Run("is reset", func(t *testing.T) {
		addr := run(t, func(ctx context.Context, listeners map[int]net.Listener) error {
			return Pipe(ctx, listeners, func(int) string { return "127.0.0.1:1" })
		})
		conn, err := net.Dial("tcp", addr(7000)) // which may hear of it already
		if err == nil {
			defer conn.Close()
			_, err = conn.Read(make([]byte, 1))
		}
		require.ErrorIs(t, err, syscall.ECONNRESET)
	})
}

func TestHTTP2WithPriorKnowledge(t *testing.T) {
	addr := start(t)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport}
	resp, err := client.Get("http://" + addr(8080) + "/who")
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 2, resp.ProtoMajor)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, hostname()+"\n", string(body))
}

func TestCarriesWhereItIsAsked(t *testing.T) {
	addr := start(t)
	require.Equal(t, exchange(t, addr(7000), "one"), exchange(t, addr(7007), addr(7000)+"\none"))
	conn := dial(t, addr(7007))
	_, err := io.WriteString(conn, "127.0.0.1:1\n")
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}
