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
	Stream
}

func (b *boxed) arriving(uint32) *Stream { return &b.Stream }
func (b *boxed) endOf(uint32)            { b.inbox.end() }

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
	box.inbox.init()
	tr := &transport{from: bufio.NewReaderSize(&frames, readBuffer), streams: box, stallMark: time.Minute}
	_, err := tr.Read(make([]byte, 100))
	require.ErrorIs(t, err, io.EOF, "yamux gets nothing of it")
	var got bytes.Buffer
	for _, size := range []int{0, 1, 99, 5000, 300_000, 1 << 30} {
		part := make([]byte, min(size, sent.Len()))
		n, ended := box.inbox.take(part)
		require.False(t, ended)
		got.Write(part[:n])
	}
	require.True(t, bytes.Equal(sent.Bytes(), got.Bytes()))
	require.Zero(t, box.inbox.waiting)
	box.inbox.end()
	_, ended := box.inbox.take(make([]byte, 1))
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
	box.inbox.init()
	put := func() error { _, err := box.inbox.put(make([]byte, maxBody)); return err }
	for range mostWindow/maxBody + 1 {
		require.NoError(t, put())
	}
	require.ErrorIs(t, box.inbox.add([]byte("x")), errTooMuch)
	box.inbox.close()
	require.NoError(t, put(), "it is dropped")
	require.Zero(t, box.inbox.waiting)

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
	for _, chunk := range [][]byte{[]byte("two"), newChunk(largeChunk)} {
		_, err := b.put(chunk)
		require.NoError(t, err)
	}
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

// TestOnlyWhatFindsTheReaderWaitingIsDiverted: nothing overtakes what came before it, and what
// the other does not take is the reader's.
func TestOnlyWhatFindsTheReaderWaitingIsDiverted(t *testing.T) {
	var b inbox
	b.init()
	var diverted string
	room := 0
	b.divert(func(p []byte) int {
		n := min(room, len(p))
		diverted += string(p[:n])
		return n
	})
	put := func(data string) int {
		taken, err := b.put([]byte(data))
		require.NoError(t, err)
		return taken
	}
	lend := func(want string) {
		chunk, _ := b.lend()
		require.Equal(t, want, string(chunk))
	}
	room = 5
	require.Zero(t, put("the reader has not come"))
	lend("the reader has not come")
	require.Zero(t, put("it is busy with that"))
	lend("it is busy with that")
	lend("") // it waits
	require.Equal(t, 5, put("five+"))
	require.Equal(t, 5, put("five of more"))
	require.Zero(t, put("behind what was left"))
	lend("of more")
	lend("behind what was left")
	lend("")
	require.NoError(t, b.add([]byte("small")))
	require.Zero(t, put("behind what is small"))
	lend("small")
	lend("behind what is small")
	lend("")
	room = 0
	require.Zero(t, put("no room"))
	room = 5
	require.Zero(t, put("behind what had no room"))
	lend("no room")
	lend("behind what had no room")
	lend("")
	b.divert(nil)
	require.Zero(t, put("it is over"))
	lend("it is over")
	require.Equal(t, "five+five ", diverted)
	require.Zero(t, b.waiting)
}
