package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slow is a transport whose writes wait to be let go.
type slow struct {
	mu     sync.Mutex
	wrote  [][]byte
	begun  chan struct{}
	let    chan struct{}
	closed chan struct{}
	end    func()
}

func newSlow() *slow {
	s := &slow{begun: make(chan struct{}), let: make(chan struct{}), closed: make(chan struct{})}
	s.end = sync.OnceFunc(func() { close(s.closed) })
	return s
}

func (s *slow) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.wrote = append(s.wrote, bytes.Clone(p))
	s.mu.Unlock()
	for _, step := range []chan struct{}{s.begun, s.let} {
		select {
		case step <- struct{}{}:
		case <-s.closed:
			return 0, io.ErrClosedPipe
		}
	}
	return len(p), nil
}

func (s *slow) Read([]byte) (int, error) { <-s.closed; return 0, io.EOF }
func (s *slow) Abort()                   { s.end() }
func (s *slow) Close() error             { return nil }

// frame is a yamux data frame's header.
func frame(length int) []byte {
	return binary.BigEndian.AppendUint32([]byte{0, muxData, 0, 0, 0, 0, 0, 2}, uint32(length))
}

func TestWhatIsWrittenMeanwhileLeavesTogether(t *testing.T) {
	s := newSlow()
	l := newBuffered(s, time.Minute)
	write := func(p []byte) {
		_, err := l.Write(p)
		require.NoError(t, err)
	}
	write(frame(3))
	write([]byte("one"))
	<-s.begun
	write(frame(3))
	write([]byte("two"))
	write(frame(5))
	write([]byte("three"))
	<-s.let
	<-s.begun
	<-s.let
	require.NoError(t, l.Close())
	require.Equal(t, [][]byte{
		append(frame(3), "one"...),
		append(append(append(frame(3), "two"...), frame(5)...), "three"...),
	}, s.wrote)
}

func TestALineThatIsFullWaits(t *testing.T) {
	s := newSlow()
	l := newBuffered(s, time.Minute)
	full := make(chan error, 1)
	go func() {
		var err error
		for err == nil { // headers last: the buffer fills with one
			if _, err = l.Write(make([]byte, writeBuffer-1)); err == nil {
				_, err = l.Write(frame(1))
			}
			if err == nil {
				_, err = l.Write([]byte("x"))
			}
		}
		full <- err
	}()
	for range 5 { // it goes on
		<-s.begun
		<-s.let
	}
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-full, io.ErrClosedPipe)
}
