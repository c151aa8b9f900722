package proxy_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/proxy"
)

// FuzzHTTP2Streams: what comes out at both destinations is what went in, stream by
// stream, however their frames are mixed; and what comes back is what each has said. The
// plan's bytes are, in threes: which stream speaks, how much, and whether it ends. All that
// is said is bounded, so that no input takes long: several windows of one stream, or some of
// each.
func FuzzHTTP2Streams(f *testing.F) {
	f.Add([]byte{0, 10, 0, 1, 200, 0, 0, 255, 1, 1, 0, 1})
	f.Add(bytes.Repeat([]byte{3, 255, 0, 2, 255, 0, 1, 1, 0}, 40))
	servers := map[string]proxy.Destination{"0": h2cServer(f, echo), "1": h2cServer(f, echo)}
	e := newEngine(f, byHeader(servers), nil)
	f.Fuzz(func(t *testing.T, plan []byte) {
		if len(plan) > 3000 {
			return
		}
		client := h2cClient(t, e.address)
		const streams, atMost = 8, 1 << 20
		var said [streams]bytes.Buffer
		var writers [streams]*io.PipeWriter
		var work sync.WaitGroup
		heard := make([][]byte, streams)
		for i := range streams {
			reader, writer := io.Pipe()
			writers[i] = writer
			request, err := http.NewRequest("POST", "http://service/", reader)
			require.NoError(t, err)
			request.Header.Set("to", string('0'+rune(i%2)))
			work.Go(func() {
				answer, err := client.Do(request)
				if err != nil {
					reader.CloseWithError(err)
					t.Error(err)
					return
				}
				defer answer.Body.Close()
				heard[i], err = io.ReadAll(answer.Body)
				if err != nil {
					t.Error(err)
				}
			})
		}
		for left := atMost; len(plan) >= 3 && left > 0; plan = plan[3:] {
			i := int(plan[0]) % streams
			piece := binary.BigEndian.AppendUint32(bytes.Repeat(plan[:1], int(plan[1])*64), uint32(len(plan)))
			left -= len(piece)
			if _, err := writers[i].Write(piece); err == nil {
				said[i].Write(piece)
			}
			if plan[2]%8 == 1 {
				writers[i].Close()
			}
		}
		for _, writer := range writers {
			writer.Close()
		}
		work.Wait()
		client.CloseIdleConnections()
		for i := range streams {
			require.True(t, bytes.Equal(said[i].Bytes(), heard[i]), "stream %d", i)
		}
	})
}

// FuzzHTTP2Frames: whatever a client says after the preface, its connection ends, and
// nothing is left of it.
func FuzzHTTP2Frames(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x03\x01\x05\x00\x00\x00\x01\x82\x86\x84"))
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x05\x00\x09\x00\x00\x00\x01\x02abcd"))
	server := h2cServer(f, echo)
	f.Fuzz(func(t *testing.T, frames []byte) {
		program, accepted := pair(t)
		go func() {
			_, _ = program.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frames...))
			_ = program.CloseWrite()
			_, _ = io.Copy(io.Discard, program)
			program.Close()
		}()
		err := proxy.New(accepted, to(server), proxy.Options{Silence: patience}).Serve(t.Context())
		accepted.Close()
		require.NoError(t, err)
	})
}
