package duplex_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
)

// TestWriteNow: what there is room for, in order, until there is none; it never waits.
func TestWriteNow(t *testing.T) {
	far, near := pair(t)
	block := make([]byte, 64<<10)
	rand.Read(block)
	if runtime.GOOS == "windows" {
		require.Zero(t, near.WriteNow(block))
		return
	}
	var sent bytes.Buffer
	for {
		n := near.WriteNow(block)
		sent.Write(block[:n])
		if n == 0 {
			break
		}
	}
	require.Positive(t, sent.Len())
	got := make([]byte, sent.Len())
	_, err := io.ReadFull(far, got)
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent.Bytes(), got))
	require.NoError(t, near.Close())
	require.Zero(t, near.WriteNow(block))
}

// source lends blocks, and gives others to who is there for that.
type source struct {
	conn
	lend   [][]byte
	divert [][]byte
	to     func(p []byte) int
	ended  bool
}

func (s *source) Lend() ([]byte, error) {
	for s.to != nil && len(s.divert) > 0 {
		block := s.divert[0]
		s.divert = s.divert[1:]
		if n := s.to(block); n < len(block) {
			return block[n:], nil
		}
	}
	if len(s.lend) == 0 {
		return nil, io.EOF
	}
	block := s.lend[0]
	s.lend = s.lend[1:]
	return block, nil
}

func (s *source) Divert(to func(p []byte) int) { s.to, s.ended = to, to == nil }

// TestWhatIsDivertedCounts: it is written in order, and counted, and the source is told when
// nothing more is taken.
func TestWhatIsDivertedCounts(t *testing.T) {
	far, near := pair(t)
	from := &source{conn: conn{make(chan struct{}), func() {}}}
	close(from.over)
	var want bytes.Buffer
	block := func(size int) []byte {
		made := make([]byte, size)
		rand.Read(made)
		want.Write(made)
		return made
	}
	from.lend = [][]byte{block(100), block(16 << 10)}
	for range 200 { // more than there is room for
		from.divert = append(from.divert, block(64<<10))
	}
	from.lend = append(from.lend, block(100))
	var reading sync.WaitGroup
	defer reading.Wait()
	var got []byte
	reading.Go(func() { got, _ = io.ReadAll(far); far.Close() })
	meter := new(duplex.Meter)
	traffic, ending := duplex.Copy(t.Context(), near, from, meter)
	require.NoError(t, ending.Err)
	reading.Wait()
	require.True(t, bytes.Equal(want.Bytes(), got))
	require.EqualValues(t, want.Len(), traffic.Received)
	require.EqualValues(t, want.Len(), meter.Traffic().Received)
	require.True(t, from.ended)
}
