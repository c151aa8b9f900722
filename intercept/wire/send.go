package wire

const (
	// maxWrite, in bytes, is the most that a stream sends in one frame.
	maxWrite = 64 << 10

	// noBulk, in bytes, is what never waits for a slot.
	noBulk = 4 << 10

	// bulkStreams is how many streams may hand bulk to yamux at a time. It serves all
	// writers in the order in which they came; if all streams' bulk stood in that
	// queue, a new connection, which must pass it several times, would wait long.
	bulkStreams = 4
)

// send sends p, as the far side has room for it.
func (st *Stream) send(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		n := st.credit.spend(min(len(p)-sent, maxWrite), st)
		if n == 0 {
			return sent, st.Err()
		}
		put, err := st.sendFrame(p[sent : sent+n])
		sent += put
		st.moved.Add(int64(put))
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// sendFrame sends p as one frame. There is credit for it, so that it only waits
// for the transport.
func (st *Stream) sendFrame(p []byte) (int, error) {
	if len(p) > noBulk {
		select {
		case st.conn.bulkSlots <- struct{}{}:
			defer func() { <-st.conn.bulkSlots }()
		case <-st.broken:
			return 0, st.Err()
		}
	}
	return st.raw.Write(p)
}

// TryWrite is Write for a stream that may have to be given up: it returns when
// the stream breaks off, even if the transport hangs.
func (st *Stream) TryWrite(p []byte) (int, error) {
	kept := append([]byte(nil), p...)
	return st.try(func() (int, error) { return st.Write(kept) })
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
