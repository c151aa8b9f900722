package wire

import (
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slow is a transport whose writes wait to be let go.
type slow struct {
	mu     sync.Mutex
	wrote  []string
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
	s.wrote = append(s.wrote, string(p))
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

// nobody takes what arrives.
type nobody struct{}

func (nobody) opened(uint32)               {}
func (nobody) arriving(uint32) *Stream     { return nil }
func (nobody) endOf(uint32)                {}
func (nobody) refused(uint32)              {}
func (nobody) endMayLinger(id uint32) bool { return id == 4 }

// frame is a yamux data frame.
func frame(data string) string {
	return string(appendDataHeader(nil, 2, len(data))) + data
}

func TestWhatIsWrittenMeanwhileLeavesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which nothing lingers too long
		s := newSlow()
		tr := newTransport(s, time.Minute, nobody{})
		send := func(data string, lazy bool) { require.NoError(t, tr.send(2, []byte(data), lazy)) }
		send("one", true)
		var writing sync.WaitGroup
		writing.Go(func() { send("two", false) })
		<-s.begun
		_, err := tr.Write(appendDataHeader(nil, 2, 5)) // as yamux does
		require.NoError(t, err)
		send("three", false)
		_, err = tr.Write([]byte("fours"))
		require.NoError(t, err)
		send("five", true)
		<-s.let
		<-s.begun
		<-s.let
		writing.Wait()
		require.NoError(t, tr.Close())
		require.Equal(t, []string{frame("one") + frame("two"), frame("three") + frame("fours") + frame("five")}, s.wrote)
	})
}

func TestWhatIsLazyLeavesByItself(t *testing.T) {
	s := newSlow()
	tr := newTransport(s, time.Minute, nobody{})
	require.NoError(t, tr.send(2, []byte("one"), true))
	<-s.begun
	<-s.let
	require.NoError(t, tr.Close())
	require.Equal(t, []string{frame("one")}, s.wrote)
}

// TestWhatIsLazyWaitsForItself: a timer that was set for something that has left with something
// else does not have what came later leave too soon, in a write of its own.
func TestWhatIsLazyWaitsForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlow()
		tr := newTransport(s, time.Minute, nobody{})
		require.NoError(t, tr.send(2, []byte("one"), true))
		time.Sleep(linger / 2)
		var writing sync.WaitGroup
		writing.Go(func() { assert.NoError(t, tr.send(2, []byte("two"), false)) })
		<-s.begun
		<-s.let
		writing.Wait()
		require.NoError(t, tr.send(2, []byte("three"), true))
		began := time.Now()
		<-s.begun
		require.Equal(t, linger, time.Since(began))
		<-s.let
		require.NoError(t, tr.Close())
		require.Equal(t, []string{frame("one") + frame("two"), frame("three")}, s.wrote)
	})
}

// TestALateEndMayWait: who has ended already is told of the other end at leisure.
func TestALateEndMayWait(t *testing.T) {
	end := func(stream byte) []byte { return []byte{0, kindWindow, 0, flagEnd, 0, 0, 0, stream, 0, 0, 0, 0} }
	for stream, want := range map[byte]time.Duration{2: 0, 4: linger} {
		synctest.Test(t, func(t *testing.T) {
			s := newSlow()
			tr := newTransport(s, time.Minute, nobody{})
			began := time.Now()
			_, err := tr.Write(end(stream))
			require.NoError(t, err)
			<-s.begun
			require.Equal(t, want, time.Since(began))
			<-s.let
			require.NoError(t, tr.Close())
			require.Equal(t, []string{string(end(stream))}, s.wrote)
		})
	}
}

func TestALineThatIsFullWaits(t *testing.T) {
	s := newSlow()
	tr := newTransport(s, time.Minute, nobody{})
	full := make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			err = tr.sendBulk(2, make([]byte, maxWrite), false)
		}
		full <- err
	}()
	for range 5 { // it goes on
		<-s.begun
		<-s.let
	}
	<-s.begun
	require.Eventually(t, func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return len(tr.pending) >= writeBuffer
	}, soon, pollEvery)
	require.NoError(t, tr.send(4, []byte("what is small finds room"), false))
	require.NoError(t, tr.Close())
	require.ErrorIs(t, <-full, io.ErrClosedPipe)
}

// TestSendNow: while a write is under way that hangs, it keeps what has room, and takes nothing
// that would have to wait.
func TestSendNow(t *testing.T) {
	s := newSlow()
	tr := newTransport(s, time.Minute, nobody{})
	require.True(t, tr.sendNow(2, []byte("one")))
	<-s.begun
	small := make([]byte, noBulk)
	kept := 0
	for tr.sendNow(2, small) {
		kept += headerSize + len(small)
	}
	require.GreaterOrEqual(t, kept, writeBuffer)
	require.Less(t, kept, writeBuffer+headerSize+len(small)+1)
	<-s.let
	<-s.begun
	s.mu.Lock()
	require.Equal(t, frame("one"), s.wrote[0])
	require.Len(t, s.wrote[1], kept, "nothing of what was not taken")
	s.mu.Unlock()
	require.True(t, tr.sendNow(2, small), "there is room again")
	require.NoError(t, tr.Close())
	require.False(t, tr.sendNow(2, small))
}
