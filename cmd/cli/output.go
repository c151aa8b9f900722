package cli

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

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/broadcast"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/output"
)

const (
	// stallTime is how long a write may take before its reader counts as stalled.
	stallTime = 200 * time.Millisecond

	// outputRoom is how many bytes are kept for a stalled reader.
	outputRoom = 1 << 20

	// lastWords is how long a stalled reader has at the end to take what is left.
	lastWords = time.Second
)

// errNoReader is what ends a command whose output nobody reads any more: head has its
// lines, tee was ended by the same Ctrl-C. As SIGPIPE does it is an end without a word,
// but an orderly one; the user wants it as much as a signal's.
var errNoReader error = noReader{}

type noReader struct{}

func (noReader) Error() string        { return "whoever read the output has gone" }
func (noReader) Is(target error) bool { return target == context.Canceled }

// outputs are a process's standard output and error, as a command writes to them: the
// reader may go or stall, and devtun still puts everything back.
type outputs struct {
	out, err *asyncWriter // nil: that stream is no file
	finishes atomic.Bool
}

// takeOver gives streams that are files outputs in their place. end ends the command,
// with errNoReader, and ended is closed when it is to end for whatever reason. The
// caller flushes them.
func takeOver(streams *output.Streams, end context.CancelCauseFunc, ended <-chan struct{}) *outputs {
	if !signal.Ignored(syscall.SIGPIPE) {
		// Whoever is told of SIGPIPE is not killed by it: the write fails instead.
		// Ignored it would stay so in the programs that devtun starts.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	}
	o := &outputs{}
	gone := func() {
		if !o.finishes.Load() {
			end(errNoReader)
		}
	}
	take := func(w *io.Writer) *asyncWriter {
		file, ok := (*w).(*os.File)
		if !ok {
			return nil
		}
		taken := newAsyncWriter(file, gone, ended)
		*w = taken
		return taken
	}
	o.out, o.err = take(&streams.Out), take(&streams.Err)
	return o
}

// suit has them do what a command needs. One that holds something never waits for a
// reader: what there is no room for is lost, and said to be.
func (o *outputs) suit(cmd *cobra.Command) {
	_, marked := cmd.Annotations[output.Finishes]
	o.finishes.Store(marked)
	if _, marked := cmd.Annotations[machine.Changes]; marked {
		for _, each := range []*asyncWriter{o.out, o.err} {
			each.neverWait(func(text string) { io.WriteString(o.err, text) })
		}
	}
}

// flush waits until everything is written; once the command is to end, or if it holds
// something, only for so long.
func (o *outputs) flush() {
	var flushing sync.WaitGroup
	for _, each := range []*asyncWriter{o.out, o.err} {
		flushing.Go(each.flush)
	}
	flushing.Wait()
}

// asyncWriter is one of them. A goroutine of its own writes, while there is something to
// write. Who has said it waits for that, so that what others write after it comes after
// it: sudo's question, a COMMAND's first line. With a stalled reader nobody waits, as
// long as there is room. What the end finds unwritten is left to the process's end, which
// alone ends a write to a pipe that nobody reads.
//
// A nil output does nothing.
type asyncWriter struct {
	file  *os.File
	gone  func()
	ended <-chan struct{}
	stall time.Duration
	room  int

	mu      sync.Mutex
	queue   []*piece
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

func newAsyncWriter(file *os.File, gone func(), ended <-chan struct{}) *asyncWriter {
	return &asyncWriter{file: file, gone: gone, ended: ended, stall: stallTime, room: outputRoom}
}

// Write implements io.Writer. The error is errNoReader, or why it could not be written
// if that is known so soon.
func (o *asyncWriter) Write(p []byte) (int, error) {
	said, stalled, err := o.say(p)
	if said == nil {
		return len(p), err
	}
	if !stalled {
		late := time.NewTimer(o.stall)
		defer late.Stop()
		select {
		case err := <-said.done:
			return len(p), err
		case <-late.C:
			o.mu.Lock()
			o.stalled = o.waiting > 0
			o.mu.Unlock()
		}
	}
	return len(p), nil
}

// say queues p, if there is room or will be; nil is that there is not.
func (o *asyncWriter) say(p []byte) (said *piece, stalled bool, err error) {
	if o == nil {
		return nil, false, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.waiting > 0 && o.waiting+len(p) > o.room && !o.closed {
		if o.missed != nil || !o.await() {
			o.lost++
			return nil, true, nil
		}
	}
	if o.closed {
		return nil, false, errNoReader
	}
	said = &piece{append([]byte(nil), p...), make(chan error, 1)}
	o.queue = append(o.queue, said)
	if o.waiting += len(p); len(o.queue) == 1 {
		go o.write()
	}
	return said, o.stalled, nil
}

// await waits until something has been written, with mu held; false is that the command
// is to end.
func (o *asyncWriter) await() bool {
	wrote := o.wrote.Wait()
	o.mu.Unlock()
	defer o.mu.Lock()
	select {
	case <-wrote:
		return true
	case <-o.ended:
		return false
	}
}

// write writes until nothing is left. The piece that is being written stays in the queue.
func (o *asyncWriter) write() {
	for {
		o.mu.Lock()
		next := o.queue[0]
		o.mu.Unlock()
		_, err := o.file.Write(next.text)
		if err != nil && nobodyReads(err) {
			err = errNoReader
		}
		more := o.written(next, err)
		next.done <- err
		if !more {
			return
		}
	}
}

// written takes a piece from the queue and reports whether there is another.
func (o *asyncWriter) written(done *piece, err error) bool {
	o.mu.Lock()
	o.queue, o.waiting = o.queue[1:], o.waiting-len(done.text)
	if errors.Is(err, errNoReader) {
		for _, other := range o.queue {
			other.done <- err
		}
		o.queue, o.waiting, o.closed = nil, 0, true
	}
	more, lost, missed := len(o.queue) > 0, 0, o.missed
	if !more {
		lost, o.lost, o.stalled = o.lost, 0, false
	}
	o.wrote.Notify()
	closed := o.closed
	o.mu.Unlock()
	switch {
	case closed:
		o.gone()
	case lost > 0 && missed != nil:
		missed("note: nobody has read the output for a while: " + count(lost, "line") + " of it left out\n")
	}
	return more
}

// unread reports that ctx has ended because nobody reads the output any more.
func unread(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errNoReader) }

// lasting is ctx for a COMMAND, which outlives the signals that end ctx: they are the
// COMMAND's. Without a reader it ends.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if unread(ctx) || ending.Failure(ctx) != nil || errors.Is(context.Cause(ctx), ending.ErrDown) {
			end()
		}
	})
	return running, func() { stop(); end() }
}

func (o *asyncWriter) neverWait(missed func(string)) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.missed = missed
}

func (o *asyncWriter) flush() {
	if o == nil {
		return
	}
	ended, late := o.ended, (<-chan time.Time)(nil)
	for {
		o.mu.Lock()
		waiting, wrote, bounded := o.waiting > 0, o.wrote.Wait(), o.missed != nil
		o.mu.Unlock()
		if !waiting {
			return
		}
		if bounded && late == nil {
			late = time.After(lastWords)
		}
		select {
		case <-wrote:
		case <-ended:
			ended = nil
			if late == nil {
				late = time.After(lastWords)
			}
		case <-late:
			return
		}
	}
}

// File is the file that it stands for.
func (o *asyncWriter) File() *os.File { return o.file }

var underlying = output.Underlying
