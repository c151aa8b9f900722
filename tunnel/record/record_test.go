package record

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/proxy"
)

// recorded is what is said of a request that looked at does.
func recorded(r *proxy.Request, options Options, keep func(int) bool, looked func(proxy.Observation)) (got Request) {
	o := Begin(r, options, keep, func(r Request) { got = r })
	looked(o)
	return got
}

func get(target string, header ...proxy.Field) *proxy.Request {
	return &proxy.Request{Protocol: proxy.HTTP1, Method: "GET", Target: target, Header: header}
}

func TestRecord(t *testing.T) {
	r := get("/orders?id=3", proxy.Field{Name: "Accept", Value: "*/*"})
	answered := func(o proxy.Observation) {
		o.RequestBody([]byte("abc"))
		o.RequestEnd(nil)
		o.Answer(100, nil)
		o.Answer(201, []proxy.Field{{Name: "Server", Value: "x"}})
		o.AnswerBody([]byte("hello "))
		o.AnswerBody([]byte("world"))
		o.AnswerTrailer([]proxy.Field{{Name: "Sum", Value: "1"}})
		o.End(nil)
	}
	got := recorded(r, Options{}, nil, answered)
	require.Equal(t, "GET /orders?id=3", got.What())
	require.Equal(t, "GET /?[31m", (&Request{Method: "GET", Target: "/\x1b[31m"}).What())
	require.Equal(t, "201", got.Outcome())
	require.EqualValues(t, 3, got.Received)
	require.EqualValues(t, 11, got.Sent)
	require.NotZero(t, got.Duration)
	require.Empty(t, got.RequestHeader)
	require.Empty(t, got.AnswerBody)

	got = recorded(r, Options{Headers: true, Bodies: 8}, nil, answered)
	require.Equal(t, []Field{{"Accept", "*/*"}}, got.RequestHeader)
	require.Equal(t, []Field{{"Server", "x"}}, got.AnswerHeader)
	require.Equal(t, []Field{{"Sum", "1"}}, got.AnswerTrailer)
	require.Equal(t, "abc", string(got.RequestBody))
	require.Equal(t, "hello wo", string(got.AnswerBody), "bounded")
	require.EqualValues(t, 11, got.Sent)

	left := 10
	bounded := func(n int) bool { left -= n; return left >= 0 }
	got = recorded(r, Options{Headers: true, Bodies: 8}, bounded, answered)
	require.NotEmpty(t, got.RequestHeader)
	require.Empty(t, got.AnswerHeader, "there was no room for it")
	require.Empty(t, got.AnswerBody)
	require.Equal(t, "201", got.Outcome())
}

// TestNothingIsKeptAfterTheEnd of what others still had to say.
func TestNothingIsKeptAfterTheEnd(t *testing.T) {
	ends, kept := 0, 0
	keep := func(n int) bool { kept += n; return true }
	o := Begin(get("/"), Options{Bodies: 100}, keep, func(Request) { ends++ })
	o.RequestBody([]byte("abc"))
	o.End(nil)
	o.AnswerBody([]byte("late"))
	o.End(errors.New("late"))
	require.Equal(t, []int{1, 3}, []int{ends, kept})
}

func TestCalls(t *testing.T) {
	call := &proxy.Request{Protocol: proxy.HTTP2, Method: "POST", Target: "/shop.Orders/Get",
		Header: []proxy.Field{{Name: "content-type", Value: "application/grpc+proto"}}}
	status := func(code string) []proxy.Field { return []proxy.Field{{Name: "grpc-status", Value: code}} }
	for want, looked := range map[string]func(proxy.Observation){
		"OK":             func(o proxy.Observation) { o.Answer(200, nil); o.AnswerTrailer(status("0")); o.End(nil) },
		"NOT_FOUND":      func(o proxy.Observation) { o.Answer(200, status("5")); o.End(nil) },
		"gRPC status 77": func(o proxy.Observation) { o.Answer(200, status("77")); o.End(nil) },
		"503":            func(o proxy.Observation) { o.Answer(503, nil); o.End(nil) },
		"broke off":      func(o proxy.Observation) { o.End(errors.New("reset")) },
		"no answer":      func(o proxy.Observation) { o.End(nil) },
	} {
		got := recorded(call, Options{}, nil, looked)
		require.Equal(t, want, got.Outcome())
		require.Equal(t, "/shop.Orders/Get", got.What())
	}
}

func TestWholeConnections(t *testing.T) {
	got := recorded(&proxy.Request{Protocol: proxy.Other}, Options{}, nil, func(o proxy.Observation) {
		o.RequestBody([]byte("PING"))
		o.AnswerBody([]byte("+PONG"))
		o.End(nil)
	})
	require.Equal(t, "other connection", got.What())
	require.Equal(t, "4 bytes in, 5 out", got.Outcome())
}

func TestSecretsAreMasked(t *testing.T) {
	names := []string{"Authorization", "proxy-authorization", "Cookie", "X-Api-Key", "X-Csrf-Token", "x-my-secret-y",
		"X-Amz-Security-Token", "PRIVATE-TOKEN", "X-Auth-Key", "X-Session-Id", "x-goog-signature"}
	var header []proxy.Field
	for _, name := range names {
		header = append(header, proxy.Field{Name: name, Value: "hunter2"})
	}
	header = append(header, proxy.Field{Name: "x-quiet", Value: "hunter2", Sensitive: true},
		proxy.Field{Name: "Baggage", Value: "devtun=ann"})
	r := get("http://ann:hunter2@shop/x?id=3&access_token=hunter2&sig=hunter2&token", header...)
	looked := func(o proxy.Observation) {
		o.Answer(200, []proxy.Field{{Name: "Set-Cookie", Value: "hunter2"}, {Name: "ETag", Value: "1"}})
		o.AnswerTrailer([]proxy.Field{{Name: "x-token", Value: "hunter2"}})
		o.End(nil)
	}
	text := func(options Options) string {
		got := recorded(r, options, nil, looked)
		text, err := json.Marshal(got)
		require.NoError(t, err)
		return string(text)
	}
	all := text(Options{Headers: true})
	require.NotContains(t, all, "hunter2")
	require.Contains(t, all, `"devtun=ann"`)
	require.Contains(t, all, `/x?id=3\u0026access_token=***\u0026sig=***\u0026token`)
	require.Contains(t, all, `{"name":"X-Api-Key","value":"***"}`)
	require.Contains(t, text(Options{Headers: true, Secrets: true}), "hunter2")
	require.NotContains(t, text(Options{}), "hunter2")
}
