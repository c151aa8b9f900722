package proxy_test

import (
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

// carriers are what is compared: no way at all, duplex.CopyLean, and this package.
var carriers = []struct {
	name  string
	carry func(b *testing.B, client duplex.TCP, to *place)
}{
	{"direct", nil},
	{"pipe", func(b *testing.B, client duplex.TCP, to *place) {
		up, err := to.Dial(b.Context())
		require.NoError(b, err)
		defer up.Close()
		duplex.CopyLean(b.Context(), client, up)
	}},
	{"proxy", func(b *testing.B, client duplex.TCP, to *place) {
		_ = proxy.New(client, &router{only: to, to: []proxy.Destination{to}}, proxy.Options{}).Serve(b.Context())
	}},
	{"proxy with a rule", func(b *testing.B, client duplex.TCP, to *place) {
		_ = proxy.New(client, &router{to: []proxy.Destination{to}}, proxy.Options{}).Serve(b.Context())
	}},
}

// through is a connection to what serves, by each of the carriers.
func through(b *testing.B, serve func(net.Conn), run func(b *testing.B, conn net.Conn)) {
	for _, c := range carriers {
		b.Run(c.name, func(b *testing.B) {
			server := newPlace(b)
			served := make(chan struct{})
			go func() {
				defer close(served)
				conn, err := server.listener.Accept()
				if err == nil {
					serve(conn)
					conn.Close()
				}
			}()
			carried := make(chan struct{})
			var conn net.Conn
			if c.carry == nil {
				up, err := server.Dial(b.Context())
				require.NoError(b, err)
				conn = up.(direct).TCPConn
				close(carried)
			} else {
				program, accepted := pair(b)
				conn = program
				go func() { c.carry(b, accepted, server); accepted.Close(); close(carried) }()
			}
			run(b, conn)
			conn.Close()
			<-served
			<-carried
		})
	}
}

// BenchmarkSmallRequests asks and is answered on one connection, and says how long most
// of that takes.
func BenchmarkSmallRequests(b *testing.B) {
	request := []byte("GET /api/items?page=1 HTTP/1.1\r\nHost: service-middle\r\nUser-Agent: Go-http-client/1.1\r\n" +
		"Accept: */*\r\nAccept-Encoding: gzip\r\ntraceparent: " +
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n")
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\n" +
		"Content-Length: 100\r\n\r\n" + strings.Repeat("x", 100))
	through(b, func(conn net.Conn) {
		buffer := make([]byte, len(request))
		for {
			if _, err := io.ReadFull(conn, buffer); err != nil {
				return
			}
			conn.Write(answer)
		}
	}, func(b *testing.B, conn net.Conn) {
		buffer := make([]byte, len(answer))
		b.ReportAllocs()
		for b.Loop() {
			conn.Write(request)
			_, err := io.ReadFull(conn, buffer)
			require.NoError(b, err)
		}
	})
}

const bulk = 64 << 20

// BenchmarkBulk carries a body of 64 MiB there, and one back.
func BenchmarkBulk(b *testing.B) {
	piece := make([]byte, 256<<10)
	send := func(to net.Conn) {
		for sent := 0; sent < bulk; sent += len(piece) {
			to.Write(piece)
		}
	}
	length := "Content-Length: " + strconv.Itoa(bulk) + "\r\n\r\n"
	up, down := "POST / HTTP/1.1\r\n"+length, "HTTP/1.1 200 OK\r\n"+length
	through(b, func(conn net.Conn) {
		sink := make([]byte, 256<<10)
		for {
			if n, _ := drainN(conn, len(up)+bulk, sink); n < len(up)+bulk {
				return
			}
			io.WriteString(conn, down)
			send(conn)
		}
	}, func(b *testing.B, conn net.Conn) {
		sink := make([]byte, 256<<10)
		b.SetBytes(2 * bulk)
		var there, back time.Duration
		for b.Loop() {
			began := time.Now()
			io.WriteString(conn, up)
			send(conn)
			_, err := drainN(conn, 1, sink)
			require.NoError(b, err)
			there += time.Since(began)
			began = time.Now()
			_, err = drainN(conn, len(down)-1+bulk, sink)
			require.NoError(b, err)
			back += time.Since(began)
		}
		b.ReportMetric(float64(b.N)*bulk/1e6/there.Seconds(), "MB/s-up")
		b.ReportMetric(float64(b.N)*bulk/1e6/back.Seconds(), "MB/s-down")
	})
}

func drainN(from io.Reader, n int, sink []byte) (got int, err error) {
	for got < n && err == nil {
		var m int
		m, err = from.Read(sink[:min(len(sink), n-got)])
		got += m
	}
	return got, err
}
