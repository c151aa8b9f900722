package output

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/devtun/devtun/internal/broadcast"
)

const (
	// stallTime is how long a write may take before its reader counts as stalled.
	stallTime = 200 * time.Millisecond

	// queueRoom is how many bytes are kept for a stalled reader.
	queueRoom = 1 << 20

	// flushTimeout is how long a stalled reader has at the end to take what is left.
	flushTimeout = time.Second
)

// ErrNoReader is what ends a command whose output nobody reads any more: head has its
// lines, tee was ended by the same Ctrl-C. As SIGPIPE does it is an end without a word,
// but an orderly one; the user wants it as much as a signal's.
var ErrNoReader error = noReader{}

type noReader struct{}

func (noReader) Error() string        { return "whoever read the output has gone" }
func (noReader) Is(target error) bool { return target == context.Canceled }

// Queues are a process's standard output and error, as a command writes to them: the
// reader may go or stall, and devtun still puts everything back.
type Queues struct {
	out, err *Queue // nil: that stream is no file
	finishes atomic.Bool
}

// TakeOver gives streams that are files queues in their place. end ends the command,
// with ErrNoReader, and ended is closed when it is to end for whatever reason. The
// caller flushes them.
func TakeOver(out, err *io.Writer, end context.CancelCauseFunc, ended <-chan struct{}) *Queues {
	if !signal.Ignored(syscall.SIGPIPE) {
		// Whoever is told of SIGPIPE is not killed by it: the write fails instead.
		// Ignored it would stay so in the programs that devtun starts.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	}
	q := &Queues{}
	gone := func() {
		if !q.finishes.Load() {
			end(ErrNoReader)
		}
	}
	take := func(w *io.Writer) *Queue {
		file, ok := (*w).(*os.File)
		if !ok {
			return nil
		}
		taken := newQueue(file, gone, ended)
		*w = taken
		return taken
	}
	q.out, q.err = take(out), take(err)
	return q
}

// Suit has them do what a command needs. One that finishes what it has begun does so when
// its reader goes: an end in the middle of it would be worse. One that holds something
// never waits for a reader: what there is no room for is lost, and said to be.
func (q *Queues) Suit(finishes, holds bool) {
	q.finishes.Store(finishes)
	if holds {
		for _, each := range []*Queue{q.out, q.err} {
			each.neverWait(func(text string) { _, _ = io.WriteString(q.err, text) })
		}
	}
}

// Flush waits until everything is written; once the command is to end, or if it holds
// something, only for so long.
func (q *Queues) Flush() {
	var flushing sync.WaitGroup
	for _, each := range []*Queue{q.out, q.err} {
		flushing.Go(each.flush)
	}
	flushing.Wait()
}

// Queue is one of them. A goroutine of its own writes, while there is something to
// write. Who has written it waits for that, so that what others write after it comes after
// it: sudo's question, a COMMAND's first line. With a stalled reader nobody waits, as
// long as there is room. What the end finds unwritten is left to the process's end, which
// alone ends a write to a pipe that nobody reads.
//
// A nil Queue does nothing.
type Queue struct {
	file  *os.File
	gone  func()
	ended <-chan struct{}
	stall time.Duration
	room  int

	mu      sync.Mutex
	pieces  []*piece
	waiting int          // bytes that are not written
	stalled bool         // until all is written
	lost    int          // writes that there was no room for
	missed  func(string) // is told of them; nil: for room is waited
	closed  bool         // nobody reads
	wrote   broadcast.Signal
}

// piece is what one Write was given.
type piece struct {
	text []byte
	done chan error // with room for one
}

func newQueue(file *os.File, gone func(), ended <-chan struct{}) *Queue {
	return &Queue{file: file, gone: gone, ended: ended, stall: stallTime, room: queueRoom}
}

// Write implements io.Writer. The error is ErrNoReader, or why it could not be written
// if that is known so soon.
func (q *Queue) Write(p []byte) (int, error) {
	added, stalled, err := q.add(p)
	if added == nil {
		return len(p), err
	}
	if !stalled {
		late := time.NewTimer(q.stall)
		defer late.Stop()
		select {
		case err := <-added.done:
			return len(p), err
		case <-late.C:
			q.mu.Lock()
			q.stalled = q.waiting > 0
			q.mu.Unlock()
		}
	}
	return len(p), nil
}

// add queues p, if there is room or will be; nil is that there is not.
func (q *Queue) add(p []byte) (added *piece, stalled bool, err error) {
	if q == nil {
		return nil, false, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.waiting > 0 && q.waiting+len(p) > q.room && !q.closed {
		if q.missed != nil || !q.await() {
			q.lost++
			return nil, true, nil
		}
	}
	if q.closed {
		return nil, false, ErrNoReader
	}
	added = &piece{append([]byte(nil), p...), make(chan error, 1)}
	q.pieces = append(q.pieces, added)
	if q.waiting += len(p); len(q.pieces) == 1 {
		go q.write()
	}
	return added, q.stalled, nil
}

// await waits until something has been written, with mu held; false is that the command
// is to end.
func (q *Queue) await() bool {
	wrote := q.wrote.Wait()
	q.mu.Unlock()
	defer q.mu.Lock()
	select {
	case <-wrote:
		return true
	case <-q.ended:
		return false
	}
}

// write writes until nothing is left. The piece that is being written stays in it.
func (q *Queue) write() {
	for {
		q.mu.Lock()
		next := q.pieces[0]
		q.mu.Unlock()
		_, err := q.file.Write(next.text)
		if err != nil && nobodyReads(err) {
			err = ErrNoReader
		}
		more := q.written(next, err)
		next.done <- err
		if !more {
			return
		}
	}
}

// written takes a piece from the queue and reports whether there is another.
func (q *Queue) written(done *piece, err error) bool {
	q.mu.Lock()
	q.pieces, q.waiting = q.pieces[1:], q.waiting-len(done.text)
	if errors.Is(err, ErrNoReader) {
		for _, other := range q.pieces {
			other.done <- err
		}
		q.pieces, q.waiting, q.closed = nil, 0, true
	}
	more, lost, missed := len(q.pieces) > 0, 0, q.missed
	if !more {
		lost, q.lost, q.stalled = q.lost, 0, false
	}
	q.wrote.Notify()
	closed := q.closed
	q.mu.Unlock()
	switch {
	case closed:
		q.gone()
	case lost > 0 && missed != nil:
		missed("note: nobody has read the output for a while: " + Count(lost, "line") + " of it left out\n")
	}
	return more
}

// Unread reports that ctx has ended because nobody reads the output any more.
func Unread(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrNoReader) }

func (q *Queue) neverWait(missed func(string)) {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.missed = missed
}

func (q *Queue) flush() {
	if q == nil {
		return
	}
	ended, late := q.ended, (<-chan time.Time)(nil)
	for {
		q.mu.Lock()
		waiting, wrote, bounded := q.waiting > 0, q.wrote.Wait(), q.missed != nil
		q.mu.Unlock()
		if !waiting {
			return
		}
		if bounded && late == nil {
			late = time.After(flushTimeout)
		}
		select {
		case <-wrote:
		case <-ended:
			ended = nil
			if late == nil {
				late = time.After(flushTimeout)
			}
		case <-late:
			return
		}
	}
}

// Underlying is the file that a Queue stands for, for a program that is to have it as it
// is, or for a terminal; other writers are returned as they are.
func Underlying(w io.Writer) io.Writer {
	if q, ok := w.(*Queue); ok {
		return q.file
	}
	return w
}
