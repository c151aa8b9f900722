package proxy_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// raw is an end of HTTP/2 in the test's hands.
type raw struct {
	*http2.Framer
	t       testing.TB
	conn    *net.TCPConn
	block   bytes.Buffer
	encoder *hpack.Encoder
}

func newRaw(t testing.TB, conn net.Conn) *raw {
	conn.SetDeadline(time.Now().Add(soon))
	t.Cleanup(func() { conn.Close() })
	r := &raw{Framer: http2.NewFramer(conn, conn), t: t, conn: conn.(*net.TCPConn)}
	r.encoder = hpack.NewEncoder(&r.block)
	r.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	return r
}

// rawClient is a client whose connection an engine carries.
func rawClient(t testing.TB, e *engine, settings ...http2.Setting) *raw {
	conn, err := net.Dial("tcp", e.address)
	require.NoError(t, err)
	r := newRaw(t, conn)
	_, err = conn.Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	require.NoError(t, r.WriteSettings(settings...))
	return r
}

// acceptRaw is the server's end of the next connection to p.
func acceptRaw(t testing.TB, p *place, settings ...http2.Setting) *raw {
	r := newRaw(t, p.accept(t).TCPConn)
	preface := make([]byte, len(http2.ClientPreface))
	_, err := r.conn.Read(preface)
	require.NoError(t, err)
	require.Equal(t, http2.ClientPreface, string(preface))
	require.NoError(t, r.WriteSettings(settings...))
	return r
}

func (r *raw) headers(stream uint32, end bool, fields ...string) {
	r.t.Helper()
	r.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		require.NoError(r.t, r.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	require.NoError(r.t, r.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: r.block.Bytes(), EndHeaders: true, EndStream: end,
	}))
}

func (r *raw) get(stream uint32) { r.t.Helper(); r.ask(stream, "GET", true) }

func (r *raw) ask(stream uint32, method string, end bool) {
	r.t.Helper()
	r.headers(stream, end, ":method", method, ":path", "/", ":scheme", "http", ":authority", "service")
}

func (r *raw) answer(stream uint32) { r.t.Helper(); r.headers(stream, true, ":status", "200") }

// next is the next frame of a stream, or GOAWAY.
func (r *raw) next() http2.Frame {
	r.t.Helper()
	for {
		f, err := r.ReadFrame()
		require.NoError(r.t, err)
		if _, update := f.(*http2.WindowUpdateFrame); update || f.Header().StreamID == 0 &&
			f.Header().Type != http2.FrameGoAway {
			continue
		}
		return f
	}
}

func (r *raw) wantHeaders(stream uint32) *http2.MetaHeadersFrame {
	r.t.Helper()
	f, ok := r.next().(*http2.MetaHeadersFrame)
	require.True(r.t, ok)
	require.Equal(r.t, stream, f.StreamID)
	return f
}

func (r *raw) wantReset(stream uint32, code http2.ErrCode) {
	r.t.Helper()
	f, ok := r.next().(*http2.RSTStreamFrame)
	require.True(r.t, ok)
	require.Equal(r.t, stream, f.StreamID)
	require.Equal(r.t, code, f.ErrCode)
}

func (r *raw) wantData(stream uint32, text string) {
	r.t.Helper()
	for len(text) > 0 {
		f, ok := r.next().(*http2.DataFrame)
		require.True(r.t, ok)
		require.Equal(r.t, stream, f.StreamID)
		require.Equal(r.t, text[:len(f.Data())], string(f.Data()))
		text = text[len(f.Data()):]
	}
}

// wantGoAway reads on, past all else, to one with a code.
func (r *raw) wantGoAway(code http2.ErrCode) *http2.GoAwayFrame {
	r.t.Helper()
	for {
		f, err := r.ReadFrame()
		require.NoError(r.t, err)
		if f, ok := f.(*http2.GoAwayFrame); ok {
			require.Equal(r.t, code, f.ErrCode)
			return f
		}
	}
}
