package wire

import (
	"bufio"
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// boxed takes one stream's data.
type boxed struct {
	nobody
	inbox
}

func (b *boxed) arriving(uint32) *inbox { return &b.inbox }
func (b *boxed) endOf(uint32)           { b.end() }

// TestFramesOfEachSizeArrive reads what comes in frames of sizes at which something changes.
func TestFramesOfEachSizeArrive(t *testing.T) {
	var sent, frames bytes.Buffer
	source := &pattern{left: 1 << 30}
	for range 3 {
		for _, size := range []int{1, 100, noBulk, noBulk + 1, maxWrite / 2, maxWrite/2 + 1,
			maxWrite, 1, 1, maxWrite + 1, maxBody} {
			data, err := io.ReadAll(io.LimitReader(source, int64(size)))
			require.NoError(t, err)
			sent.Write(data)
			frames.Write(append(appendDataHeader(nil, 2, size), data...))
		}
	}
	box := new(boxed)
	box.init()
	tr := &transport{from: bufio.NewReaderSize(&frames, readBuffer), streams: box, stallMark: time.Minute}
	_, err := tr.Read(make([]byte, 100))
	require.ErrorIs(t, err, io.EOF, "yamux gets nothing of it")
	var got bytes.Buffer
	for _, size := range []int{0, 1, 99, 5000, 300_000, 1 << 30} {
		part := make([]byte, min(size, sent.Len()))
		n, ended := box.take(part)
		require.False(t, ended)
		got.Write(part[:n])
	}
	require.True(t, bytes.Equal(sent.Bytes(), got.Bytes()))
	require.Zero(t, box.waiting)
	box.end()
	_, ended := box.take(make([]byte, 1))
	require.True(t, ended)
}

// Many small frames must not cost much more than they hold.
func TestSmallFramesShareChunks(t *testing.T) {
	var b inbox
	b.init()
	for range 100_000 {
		require.NoError(t, b.add([]byte("x")))
	}
	require.LessOrEqual(t, len(b.chunks), 100_000/smallChunk+10, "and the first few, which are smaller")
}

func TestWhoSendsTooMuchIsNotHeard(t *testing.T) {
	box := new(boxed)
	box.init()
	for range mostWindow / maxBody {
		require.NoError(t, box.put(make([]byte, maxBody)))
	}
	require.NoError(t, box.put(make([]byte, maxBody)))
	require.ErrorIs(t, box.add([]byte("x")), errTooMuch)
	box.close()
	require.NoError(t, box.put(make([]byte, maxBody)), "it is dropped")
	require.Zero(t, box.waiting)

	tr := &transport{streams: box,
		from: bufio.NewReader(bytes.NewReader(appendDataHeader(nil, 2, maxBody+1)))}
	_, err := tr.Read(make([]byte, 1))
	require.ErrorIs(t, err, errTooMuch)
}

// TestChunksAreLent: what is read without a copy is what is read with one, in the same order.
func TestChunksAreLent(t *testing.T) {
	var b inbox
	b.init()
	require.NoError(t, b.add([]byte("one ")))
	got := make([]byte, 1)
	n, _ := b.take(got)
	require.NoError(t, b.put([]byte("two")))
	require.NoError(t, b.put(newChunk(largeChunk)))
	read := string(got[:n])
	for _, want := range []int{3, 3, largeChunk} {
		chunk, ended := b.lend()
		require.Len(t, chunk, want)
		require.False(t, ended)
		if want < largeChunk {
			read += string(chunk)
		}
	}
	require.Equal(t, "one two", read)
	require.NoError(t, b.add([]byte("three")), "what is lent is not written to")
	b.end()
	chunk, ended := b.lend()
	require.Equal(t, "three", string(chunk))
	require.True(t, ended)
	chunk, ended = b.lend()
	require.Empty(t, chunk)
	require.True(t, ended)
	require.Zero(t, b.waiting)
}
