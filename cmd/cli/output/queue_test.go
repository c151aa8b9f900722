package output

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// testTimeout bounds the wait for what must happen, step is how often it is looked for.
	testTimeout = 20 * time.Second
	step        = 10 * time.Millisecond
)

// piped is a queue into a pipe.
type piped struct {
	*Queue
	read  *os.File
	gone  atomic.Int32
	ended chan struct{}
}

func newPiped(t *testing.T) *piped {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	p := &piped{read: read, ended: make(chan struct{})}
	p.Queue = newQueue(write, func() { p.gone.Add(1) }, p.ended)
	p.stall = 20 * time.Millisecond
	t.Cleanup(func() {
		read.Close() // ends a write, too
		write.Close()
	})
	return p
}

// stuff says lines until the pipe is full and its reader counts as stalled.
func (p *piped) stuff(t *testing.T) (lines int) {
	t.Helper()
	for lines = 0; !p.isStalled(); lines++ {
		_, err := p.Write(line(lines))
		require.NoError(t, err)
	}
	return lines
}

func (p *piped) isStalled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stalled
}

// line is a line of 1 KiB.
func line(n int) []byte {
	text := bytes.Repeat([]byte{byte('a' + n%26)}, 1024)
	text[len(text)-1] = '\n'
	return text
}

func TestWhatWasSaidIsWritten(t *testing.T) {
	p := newPiped(t)
	for n := range 3 {
		_, err := p.Write(line(n))
		require.NoError(t, err)
		got := make([]byte, 1024)
		_, err = io.ReadFull(p.read, got)
		require.NoError(t, err)
		require.Equal(t, line(n), got, "it is there when Write returns")
	}
	p.flush()
}

func TestAReaderThatGoes(t *testing.T) {
	p := newPiped(t)
	require.NoError(t, p.read.Close())
	for range 3 {
		_, err := p.Write([]byte("x\n"))
		require.ErrorIs(t, err, ErrNoReader)
	}
	p.flush()
	require.Eventually(t, func() bool { return p.gone.Load() == 1 }, testTimeout, step)
}

func TestAReaderThatGoesWhileItIsStalled(t *testing.T) {
	p := newPiped(t)
	p.stuff(t)
	require.NoError(t, p.read.Close())
	p.flush()
	require.Eventually(t, func() bool { return p.gone.Load() == 1 }, testTimeout, step)
	_, err := p.Write([]byte("x\n"))
	require.ErrorIs(t, err, ErrNoReader)
}

// TestAReaderThatStalls: nobody waits for it while there is room, everything is there
// once it goes on, and in order.
func TestAReaderThatStalls(t *testing.T) {
	p := newPiped(t)
	lines := p.stuff(t)
	for range 100 {
		p.Write(line(lines))
		lines++
	}
	flushed := make(chan struct{})
	go func() { defer close(flushed); p.flush() }()
	scanner := bufio.NewScanner(p.read)
	for n := range lines {
		require.True(t, scanner.Scan())
		require.Equal(t, strings.TrimSuffix(string(line(n)), "\n"), scanner.Text())
	}
	<-flushed
	require.False(t, p.isStalled())
}

// TestAReaderThatStallsDelaysNoEnd: neither a write nor the flush waits for it.
func TestAReaderThatStallsDelaysNoEnd(t *testing.T) {
	p := newPiped(t)
	p.stuff(t)
	p.room = 0
	waiting := make(chan struct{})
	go func() { // whoever waits for room
		defer close(waiting)
		p.Write(line(0))
	}()
	close(p.ended)
	<-waiting
	p.flush()
}

// TestASessionNeverWaits: what there is no room for is lost, and said to be.
func TestASessionNeverWaits(t *testing.T) {
	p, stderr := newPiped(t), newPiped(t)
	(&Queues{out: p.Queue, err: stderr.Queue}).Suit(false, true)
	lines := p.stuff(t)
	p.room = 0
	for range 5 {
		p.Write(line(0))
	}
	p.flush() // nobody reads: it gives up
	scanner := bufio.NewScanner(p.read)
	for range lines {
		require.True(t, scanner.Scan())
	}
	notes := bufio.NewScanner(stderr.read)
	require.True(t, notes.Scan())
	require.Equal(t, "note: nobody has read the output for a while: 5 lines of it left out", notes.Text())
}

// TestManyWriters is for the race detector.
func TestManyWriters(t *testing.T) {
	p := newPiped(t)
	var writing sync.WaitGroup
	for n := range 8 {
		writing.Go(func() {
			for range 200 {
				p.Write(line(n))
			}
		})
	}
	scanner := bufio.NewScanner(p.read)
	for range 8 * 200 {
		require.True(t, scanner.Scan())
		require.Equal(t, 1023, strings.Count(scanner.Text(), scanner.Text()[:1]), "lines stay whole")
	}
	writing.Wait()
	p.flush()
}
