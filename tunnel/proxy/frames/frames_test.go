package frames_test

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/devtun/devtun/tunnel/proxy/frames"
)

// TestDataGrowsTheFrameBefore where that is the same stream's, up to the limit.
func TestDataGrowsTheFrameBefore(t *testing.T) {
	var out frames.Out
	out.Data(1, []byte("abc"), 5)
	out.Data(1, []byte("defg"), 5)
	out.Data(3, []byte("x"), 5)
	out.End(3)
	require.NoError(t, http2.NewFramer(&out, nil).WritePing(false, [8]byte{}))
	out.Data(3, []byte("y"), 5)
	out.End(1)

	batch, giveBack := out.Take()
	require.Zero(t, out.Size())
	framer := http2.NewFramer(nil, bytes.NewReader(batch))
	for _, want := range []struct {
		stream uint32
		text   string
		end    bool
	}{{1, "abcde", false}, {1, "fg", false}, {3, "x", true}, {}, {3, "y", false}, {1, "", true}} {
		f, err := framer.ReadFrame()
		require.NoError(t, err)
		require.Equal(t, want.stream, f.Header().StreamID)
		if data, ok := f.(*http2.DataFrame); ok {
			require.Equal(t, want.text, string(data.Data()))
			require.Equal(t, want.end, data.StreamEnded())
		}
	}
	_, err := framer.ReadFrame()
	require.ErrorIs(t, err, io.EOF)
	giveBack()
}

func TestQueueKeepsOrder(t *testing.T) {
	var q frames.Queue
	all := make([]byte, 100_000)
	for i := range all {
		all[i] = byte(i % 251)
	}
	q.Push(all[1000:70_000])
	q.Push(all[70_000:])
	q.Unpop(all[:1000])
	var got []byte
	for n := 1; !q.Empty(); n += 777 {
		first := q.First()
		first = first[:min(n, len(first))]
		got = append(got, first...)
		q.Pop(len(first))
	}
	require.True(t, bytes.Equal(all, got))
	q.Push(all)
	q.Clear()
	require.True(t, q.Empty())
}

func TestReaderGivesAllThatComes(t *testing.T) {
	all := bytes.Repeat([]byte("0123456789"), 50_000)
	for name, from := range map[string]io.Reader{
		"at once":                          bytes.NewReader(all),
		"in bytes":                         iotest.OneByteReader(bytes.NewReader(all)),
		"in halves, the end with the last": iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(all))),
	} {
		t.Run(name, func(t *testing.T) {
			r := frames.Reader{From: from}
			defer r.GiveBack()
			var got []byte
			for {
				piece, err := r.Next(999)
				if err == io.EOF {
					break
				}
				require.NoError(t, err)
				got = append(got, piece...)
			}
			require.True(t, bytes.Equal(all, got))
		})
	}
}
