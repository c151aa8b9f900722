package proxy_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
)

// pipe listens, and copies each connection as what is no HTTP.
func pipe(t testing.TB, server serverAt) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			accepted, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer accepted.Close()
				up, err := server.Dial(context.Background())
				if err != nil {
					return
				}
				defer up.Close()
				duplex.CopyLean(context.Background(), duplex.TCP{TCPConn: accepted.(*net.TCPConn)}, up)
			})
		}
	})
	t.Cleanup(func() { listener.Close(); work.Wait() })
	return listener.Addr().String()
}

// ways are the ways to a server, to be compared.
func ways(b *testing.B, handler http.HandlerFunc, run func(b *testing.B, client *http.Client)) {
	server := h2cServer(b, handler)
	for _, way := range []struct{ name, address string }{
		{"straight", string(server)},
		{"pipe", pipe(b, server)},
		{"engine", newEngine(b, to(server), nil).address},
	} {
		client := h2cClient(b, way.address)
		b.Run(way.name, func(b *testing.B) { run(b, client) })
		client.CloseIdleConnections()
	}
}

func BenchmarkHTTP2Request(b *testing.B) {
	ways(b, echo, func(b *testing.B, client *http.Client) {
		for b.Loop() {
			answer, err := client.Post("http://service/", "text/plain", strings.NewReader("a small request"))
			require.NoError(b, err)
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
	})
}

const benchBody = 64 << 20

func BenchmarkHTTP2Download(b *testing.B) {
	piece := make([]byte, 64<<10)
	handler := func(w http.ResponseWriter, r *http.Request) {
		for range benchBody / len(piece) {
			_, _ = w.Write(piece)
		}
	}
	ways(b, handler, func(b *testing.B, client *http.Client) {
		b.SetBytes(benchBody)
		for b.Loop() {
			answer, err := client.Get("http://service/")
			require.NoError(b, err)
			_, err = io.Copy(io.Discard, answer.Body)
			require.NoError(b, err)
			answer.Body.Close()
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func BenchmarkHTTP2Upload(b *testing.B) {
	handler := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
	ways(b, handler, func(b *testing.B, client *http.Client) {
		b.SetBytes(benchBody)
		for b.Loop() {
			answer, err := client.Post("http://service/", "text/plain", io.LimitReader(zeros{}, benchBody))
			require.NoError(b, err)
			answer.Body.Close()
		}
	})
}

// BenchmarkHTTP2Idle says what a connection holds between two requests, its client and
// server aside.
func BenchmarkHTTP2Idle(b *testing.B) {
	const connections = 200
	server := h2cServer(b, echo)
	held := func(address string) int64 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range connections {
			client := h2cClient(b, address)
			answer, err := client.Post("http://service/", "text/plain", strings.NewReader("a small request"))
			require.NoError(b, err)
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		return int64(after.HeapAlloc+after.StackInuse) - int64(before.HeapAlloc+before.StackInuse)
	}
	straight := held(string(server))
	through := held(newEngine(b, to(server), nil).address)
	b.ReportMetric(float64(through-straight)/connections, "B/connection")
	b.ReportMetric(0, "ns/op")
}
