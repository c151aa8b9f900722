package proxy_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/devtun/devtun/tunnel/proxy"
)

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
			t.Parallel()
			p := newPlace(t)
			e := newEngine(t, to(p), nil)
			client := rawClient(t, e)
			_, err := client.ReadFrame()
			require.NoError(t, err)
			// Nobody reads, at either end.
			var buffered bytes.Buffer
			client.Framer = http2.NewFramer(&buffered, client.conn)
			ended := e.last().ended
			until := time.Now().Add(soon)
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
				require.False(t, time.Now().After(until))
			}
		})
	}
}

func TestHTTP2DrainsInTwoSteps(t *testing.T) {
	client, server, e, _ := between(t, "POST", false)
	e.last().Drain()
	require.Equal(t, uint32(1<<31-1), client.wantGoAway(http2.ErrCodeNo).LastStreamID)
	client.get(3) // said before it knew
	server.wantHeaders(3)
	for {
		f, err := client.ReadFrame()
		require.NoError(t, err)
		if ping, ok := f.(*http2.PingFrame); ok {
			require.NoError(t, client.WritePing(true, ping.Data))
			break
		}
	}
	require.Equal(t, uint32(3), client.wantGoAway(http2.ErrCodeNo).LastStreamID)
	server.answer(3)
	client.wantHeaders(3)
	require.NoError(t, client.WriteData(1, true, []byte("the rest")))
	server.wantData(1, "the rest")
	server.answer(1)
	client.wantHeaders(1)
	_, err := client.ReadFrame()
	require.ErrorIs(t, err, io.EOF)
	client.conn.Close()
	<-e.last().ended
}

func TestHTTP2IsLookedOnAt(t *testing.T) {
	server := h2cServer(t, echo)
	n := &notes{names: map[proxy.Destination]string{server: "origin"}}
	client := h2cClient(t, newEngine(t, to(server), n).address)
	require.Equal(t, "body", textOf(t, fetch(t, client, "POST", "", []byte("body"))))
	require.Eventually(t, func() bool {
		n.seen[0].mu.Lock()
		defer n.seen[0].mu.Unlock()
		return n.seen[0].ended == 1
	}, soon, time.Millisecond)
	seen := n.seen[0]
	require.Equal(t, "POST /path to origin", seen.what)
	require.Equal(t, "body|", seen.asked)
	require.Contains(t, seen.replied, "200 ")
	require.Contains(t, seen.replied, "|body|sum=4")
	require.NoError(t, seen.end)
}
