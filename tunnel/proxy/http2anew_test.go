package proxy_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/devtun/devtun/tunnel/proxy"
)

func TestHTTP2RoutesAnewWhatWasRefused(t *testing.T) {
	client, server, _, _ := between(t, "POST", false)
	require.NoError(t, client.WriteData(1, false, []byte("body")))
	server.wantData(1, "body")
	require.NoError(t, server.WriteRSTStream(1, http2.ErrCodeRefusedStream))
	server.wantHeaders(3)
	server.wantData(3, "body")
	require.NoError(t, client.WriteData(1, true, []byte(" and end")))
	server.wantData(3, " and end")
	require.NoError(t, server.WriteRSTStream(3, http2.ErrCodeRefusedStream))
	client.wantReset(1, http2.ErrCodeRefusedStream)
}

func TestHTTP2RoutesAnewWhatLiesAboveAGoAway(t *testing.T) {
	client, server, _, p := between(t, "POST", true)
	client.ask(3, "POST", true)
	server.wantHeaders(3)
	require.NoError(t, server.WriteGoAway(1, http2.ErrCodeNo, nil))
	next := acceptRaw(t, p)
	next.wantHeaders(1)
	next.answer(1)
	client.wantHeaders(3)
	client.ask(5, "POST", true)
	next.wantHeaders(3)
	server.answer(1)
	client.wantHeaders(1)
	_, err := server.ReadFrame()
	for err == nil {
		_, err = server.ReadFrame()
	}
	require.ErrorContains(t, err, "EOF", "it is ended once its last stream is")
}

func TestHTTP2UpstreamsThatAreLost(t *testing.T) {
	t.Run("a GET is repeated once", func(t *testing.T) {
		client, server, _, p := between(t, "GET", true)
		server.conn.Close()
		next := acceptRaw(t, p)
		next.wantHeaders(1)
		next.conn.Close()
		_, err := client.ReadFrame()
		for err == nil {
			_, err = client.ReadFrame()
		}
	})
	t.Run("a client that has nothing else ends", func(t *testing.T) {
		client, server, _, _ := between(t, "POST", true)
		require.NoError(t, server.WriteGoAway(1, http2.ErrCodeInadequateSecurity, []byte("why")))
		server.conn.Close()
		require.Equal(t, "why", string(client.wantGoAway(http2.ErrCodeInadequateSecurity).DebugData()))
	})
	t.Run("other streams go on", func(t *testing.T) {
		one, other := newPlace(t), newPlace(t)
		client := rawClient(t, newEngine(t, &router{route: func(r *proxy.Request) proxy.Route {
			if r.Method == "POST" {
				return proxy.Route{To: one}
			}
			return proxy.Route{To: other}
		}}, nil))
		client.ask(1, "POST", false)
		server := acceptRaw(t, one)
		server.wantHeaders(1)
		client.ask(3, "PUT", false)
		next := acceptRaw(t, other)
		next.wantHeaders(1)
		server.conn.Close()
		client.wantReset(1, http2.ErrCodeInternal)
		next.answer(1)
		client.wantHeaders(3)
	})
}

func TestHTTP2TakesBackWhatIsNotAnswered(t *testing.T) {
	client, server, e, p := between(t, "GET", true)
	client.ask(3, "POST", false)
	server.wantHeaders(3)
	e.last().TakeBack(p)
	server.wantReset(1, http2.ErrCodeCancel)
	next := acceptRaw(t, p)
	next.wantHeaders(1)
	next.answer(1)
	client.wantHeaders(1)
	server.answer(3)
	client.wantHeaders(3)
}
