package proxy_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/devtun/devtun/tunnel/proxy"
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

// between is a raw client and a raw server, with an engine between them, and one stream.
func between(t *testing.T, method string, end bool) (client, server *raw, e *engine, p *place) {
	p = newPlace(t)
	e = newEngine(t, to(p), nil)
	client = rawClient(t, e)
	client.ask(1, method, end)
	server = acceptRaw(t, p)
	server.wantHeaders(1)
	return client, server, e, p
}

func TestHTTP2ResetsKeepTheirCode(t *testing.T) {
	client, server, _, _ := between(t, "POST", false)
	require.NoError(t, server.WriteRSTStream(1, http2.ErrCodeEnhanceYourCalm))
	client.wantReset(1, http2.ErrCodeEnhanceYourCalm)
	client.ask(3, "POST", false)
	server.wantHeaders(3)
	require.NoError(t, client.WriteRSTStream(3, http2.ErrCodeConnect))
	server.wantReset(3, http2.ErrCodeConnect)
	require.NoError(t, client.WriteData(1, true, []byte("said before it knew")))
	client.get(5)
	server.wantHeaders(5)
}

func TestHTTP2KeepsFieldsInOrder(t *testing.T) {
	p := newPlace(t)
	client := rawClient(t, newEngine(t, to(p), nil))
	fields := []hpack.HeaderField{
		{Name: ":scheme", Value: "http"}, {Name: ":path", Value: "/a"}, {Name: ":method", Value: "PATCH"},
		{Name: "z", Value: "1"}, {Name: "a", Value: "2", Sensitive: true}, {Name: "z", Value: ""},
		{Name: "te", Value: "trailers"}, {Name: "long", Value: string(bytes.Repeat([]byte("l"), 40_000))},
	}
	for _, f := range fields {
		require.NoError(t, client.encoder.WriteField(f))
	}
	block := client.block.Bytes()
	require.NoError(t, client.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block[:10], PadLength: 7,
	}))
	require.NoError(t, client.WriteContinuation(1, false, block[10:16000]))
	require.NoError(t, client.WriteContinuation(1, true, block[16000:]))
	require.NoError(t, client.WriteDataPadded(1, false, []byte("body"), make([]byte, 100)))
	trailer := []hpack.HeaderField{{Name: "t", Value: "2", Sensitive: true}, {Name: "s", Value: "1"}}
	client.headers(1, true, "s", "1")

	server := acceptRaw(t, p)
	require.Equal(t, fields, server.wantHeaders(1).Fields)
	server.wantData(1, "body")
	f := server.wantHeaders(1)
	require.True(t, f.StreamEnded())
	require.Equal(t, trailer[1:], f.Fields)
	server.headers(1, false, ":status", "103", "b", "1")
	server.headers(1, false, ":status", "200", "b", "2", "a", "1")
	require.NoError(t, server.WriteData(1, true, nil))
	require.Equal(t, "103", client.wantHeaders(1).PseudoValue("status"))
	require.Equal(t, "200", client.wantHeaders(1).PseudoValue("status"))
	require.True(t, client.next().(*http2.DataFrame).StreamEnded())
}

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

func TestHTTP2QueuesWhatADestinationDoesNotTakeYet(t *testing.T) {
	p := newPlace(t)
	client := rawClient(t, newEngine(t, to(p), nil))
	client.get(1)
	server := acceptRaw(t, p, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
	server.wantHeaders(1)
	require.NoError(t, server.WritePing(false, [8]byte{1}))
	for { // until it knows
		f, err := server.ReadFrame()
		require.NoError(t, err)
		if ping, ok := f.(*http2.PingFrame); ok && ping.IsAck() {
			break
		}
	}
	client.get(3)
	client.get(5)
	server.answer(1)
	server.wantHeaders(3)
	server.answer(3)
	server.wantHeaders(5)
	server.answer(5)
	for range 3 {
		require.True(t, client.next().(*http2.MetaHeadersFrame).StreamEnded())
	}
}

func TestHTTP2WindowsFollowSettings(t *testing.T) {
	p := newPlace(t)
	client := rawClient(t, newEngine(t, to(p), nil), http2.Setting{ID: http2.SettingInitialWindowSize, Val: 3})
	client.get(1)
	server := acceptRaw(t, p)
	server.wantHeaders(1)
	server.headers(1, false, ":status", "200")
	require.NoError(t, server.WriteData(1, true, []byte("abcdefghij")))
	client.wantHeaders(1)
	client.wantData(1, "abc")
	require.NoError(t, client.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}))
	require.NoError(t, client.WriteWindowUpdate(1, 3)) // -2 + 3
	client.wantData(1, "d")
	require.NoError(t, client.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100}))
	client.wantData(1, "efghij")
}

func TestHTTP2ExtendedConnectIsOffered(t *testing.T) {
	client, server, _, _ := between(t, "GET", true)
	require.NoError(t, server.WriteSettings(http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1}))
	for offered := false; !offered; {
		f, err := client.ReadFrame()
		require.NoError(t, err)
		if settings, ok := f.(*http2.SettingsFrame); ok {
			_, offered = settings.Value(http2.SettingEnableConnectProtocol)
		}
	}
	client.headers(3, false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/chat",
		":authority", "service")
	require.Equal(t, "websocket", server.wantHeaders(3).PseudoValue("protocol"))
	server.headers(3, false, ":status", "200")
	client.wantHeaders(3)
	require.NoError(t, client.WriteData(3, false, []byte("up")))
	server.wantData(3, "up")
	require.NoError(t, server.WriteData(3, false, []byte("down")))
	client.wantData(3, "down")
}

func TestHTTP2AnswersAClientThatHasEndedItsSide(t *testing.T) {
	client, server, _, _ := between(t, "GET", true)
	require.NoError(t, client.conn.CloseWrite())
	server.answer(1)
	client.wantHeaders(1)
}

func TestHTTP2AnAnswerThatComesEarlyIsWhole(t *testing.T) {
	client, server, _, _ := between(t, "POST", false)
	server.headers(1, false, ":status", "413")
	require.NoError(t, server.WriteData(1, true, []byte("too large")))
	require.NoError(t, server.WriteRSTStream(1, http2.ErrCodeNo))
	client.wantHeaders(1)
	client.wantData(1, "too large")
	client.wantReset(1, http2.ErrCodeNo)
}

func TestHTTP2FloodsEndTheConnection(t *testing.T) {
	for name, flood := range map[string]func(r *raw, i uint32) error{
		"of PINGs":    func(r *raw, _ uint32) error { return r.WritePing(false, [8]byte{}) },
		"of SETTINGS": func(r *raw, _ uint32) error { return r.WriteSettings() },
		"of resets": func(r *raw, i uint32) error {
			r.get(2*i + 1)
			return r.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			e := newEngine(t, to(p), nil)
			client := rawClient(t, e)
			_, err := client.ReadFrame()
			require.NoError(t, err)
			// Nobody reads, at either end.
			var buffered bytes.Buffer
			client.Framer = http2.NewFramer(&buffered, client.conn)
			ended := e.last().ended
			for i := uint32(0); ; {
				for range 1000 {
					require.NoError(t, flood(client, i))
					i++
				}
				if _, err := client.conn.Write(buffered.Bytes()); err != nil {
					break
				}
				buffered.Reset()
				select {
				case <-ended:
					return
				default:
				}
				require.Less(t, i, uint32(10_000_000))
			}
		})
	}
}
