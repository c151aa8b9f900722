package wire

import (
	"fmt"
	"io"
)

const (
	// maxWrite, in bytes, is the most that a stream sends in one frame.
	maxWrite = 64 << 10

	// noBulk, in bytes, is what does not wait behind bulk for room.
	noBulk = 4 << 10
)

// send sends p, as the far side has room for it.
func (st *Stream) send(p []byte, lazy bool) (int, error) {
	sent := 0
	for sent < len(p) {
		if err := st.mayWrite(); err != nil {
			return sent, err
		}
		n := st.credit.spend(min(len(p)-sent, mostBulk), st)
		if n == 0 {
			return sent, st.Err()
		}
		send := st.conn.transport.sendBulk
		if n <= noBulk {
			send = st.conn.transport.send
		}
		if err := send(st.id, p[sent:sent+n], lazy); err != nil {
			st.conn.finish(fmt.Errorf("write stream: %w", err))
			st.fail(st.conn.lost())
			return sent, st.Err()
		}
		sent += n
		st.moved.Add(int64(n))
	}
	return sent, nil
}

func (st *Stream) mayWrite() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err == nil && st.sent {
		return io.ErrClosedPipe
	}
	return st.err
}

// TryWrite is Write for a stream that may have to be given up: it returns when
// the stream breaks off, even if the transport hangs.
func (st *Stream) TryWrite(p []byte) (int, error) {
	if st.sendNow(p) {
		return len(p), nil
	}
	kept := append([]byte(nil), p...)
	return st.try(func() (int, error) { return st.Write(kept) })
}

// sendNow sends p if that needs no wait. It reports false otherwise, with nothing sent.
func (st *Stream) sendNow(p []byte) bool {
	if len(p) > noBulk || st.mayWrite() != nil || !st.credit.spendNow(len(p), st) {
		return false
	}
	if !st.conn.transport.sendNow(st.id, p) {
		st.credit.unspend(len(p))
		return false
	}
	st.moved.Add(int64(len(p)))
	return true
}

// TryCloseWrite is CloseWrite likewise.
func (st *Stream) TryCloseWrite() error {
	_, err := st.try(func() (int, error) { return 0, st.CloseWrite() })
	return err
}

// try runs f, and leaves it to itself if the stream breaks off before f is done.
func (st *Stream) try(f func() (int, error)) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	if !st.conn.start(func() { n, err := f(); done <- result{n, err} }) {
		st.fail(st.conn.lost())
		return 0, st.Err()
	}
	select {
	case r := <-done:
		return r.n, r.err
	case <-st.broken:
		return 0, st.Err()
	}
}
