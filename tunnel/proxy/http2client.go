package proxy

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"golang.org/x/net/http2"

	"github.com/devtun/devtun/tunnel/duplex"
)

// h2DrainPing is what is in the PING whose answer shows that a client knows of the end.
var h2DrainPing = [8]byte{'d', 'r', 'a', 'i', 'n'}

// h2Client is the client's end.
type h2Client struct {
	*h2Peer
	client   duplex.Client
	last     uint32        // the highest stream that has begun
	unknown  h2Late        // streams whose end it may not know
	offered  bool          // extended CONNECT (RFC 8441)
	known    chan struct{} // closed once the client knows that it drains; nil if it does not drain
	draining bool          // and so begins no more streams
	left     bool          // its end of input has come
	closing  bool          // what it says is not heard any more
}

func newH2Client(c *h2Conn, conn duplex.Client) *h2Client {
	client := &h2Client{client: conn}
	client.h2Peer = newH2Peer(c, client, conn)
	return client
}

// run reads the client to its end.
func (c *h2Client) run(in io.Reader) {
	c.reader.From = in
	err := c.readPreface()
	if err == nil {
		err = c.read()
	}
	c.c.mu.Lock()
	defer c.c.mu.Unlock()
	var fault http2.ConnectionError
	switch {
	case c.closing:
		c.c.end(false)
	case errors.As(err, &fault):
		c.close(http2.ErrCode(fault), nil)
		_ = c.client.SetReadDeadline(time.Now().Add(h2Linger)) // even if it takes nothing
		c.c.mu.Unlock()
		_, _ = io.Copy(io.Discard, in)
		c.c.mu.Lock()
		c.c.end(false)
	case orderly(err):
		c.leave()
	default:
		c.c.end(true)
	}
}

func (c *h2Client) readPreface() error {
	said := make([]byte, len(preface))
	if _, err := io.ReadFull(&c.reader, said); err != nil {
		return err
	}
	if string(said) != preface {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return nil
}

// leave passes the client's end of input on; what it has asked is answered still.
func (c *h2Client) leave() {
	c.left = true
	if hasLeft(c.client) {
		c.c.end(true)
		return
	}
	for u := range c.c.all {
		u.finish()
	}
	c.c.quiet()
}

// close ends the connection in good order, once all is written that waits. A code that
// is not NO_ERROR is told.
func (c *h2Client) close(code http2.ErrCode, debug []byte) {
	if c.closing || c.c.ended {
		return
	}
	c.closing = true
	for _, s := range inOrder(c.c.streams) {
		s.answer.flush()
		s.leave(http2.ErrCodeCancel)
		s.drop(http2.ConnectionError(code))
	}
	if code != http2.ErrCodeNo {
		_ = c.framer.WriteGoAway(c.last, code, debug)
	}
	c.ending = true
	c.wake()
}

// drain is section 6.8's way: a GOAWAY that excludes nothing, and once the client knows
// of it, one that says which streams there were.
func (c *h2Client) drain() {
	if c.known != nil || c.closing {
		return
	}
	known := make(chan struct{})
	c.known = known
	_ = c.framer.WriteGoAway(math.MaxInt32, http2.ErrCodeNo, nil)
	_ = c.framer.WritePing(false, h2DrainPing)
	c.wake()
	c.c.start(func(ctx context.Context) {
		timer := time.NewTimer(h2Linger)
		defer timer.Stop()
		select {
		case <-known:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		c.c.mu.Lock()
		defer c.c.mu.Unlock()
		c.draining = true
		_ = c.framer.WriteGoAway(c.last, http2.ErrCodeNo, nil)
		c.wake()
		c.c.quiet()
	})
}

func (c *h2Client) pong(data [8]byte) {
	if c.known != nil && data == h2DrainPing && !c.draining {
		c.draining = true
		close(c.known)
	}
}

// offer tells the client of extended CONNECT, once an upstream has it (RFC 8441).
func (c *h2Client) offer() {
	if !c.offered {
		c.offered = true
		c.sendSettings(http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1})
	}
}

func (c *h2Client) headers(f *http2.MetaHeadersFrame) error {
	id := f.StreamID
	if s := c.c.streams[id]; s != nil {
		return s.asked.takeTrailer(f)
	}
	switch {
	case c.late(id):
		return nil
	case id%2 == 0 || id <= c.last: // section 5.1.1
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case c.c.routing >= 4*h2MaxStreams: // begun and reset, over and over
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	c.last = id
	malformed := http2.StreamError{StreamID: id, Code: http2.ErrCodeProtocol}
	if len(c.c.streams) >= h2MaxStreams { // section 5.1.2
		if c.unacked > 0 {
			malformed.Code = http2.ErrCodeRefusedStream
		}
		return malformed
	}
	request, ok := h2Request(f)
	if !ok || f.HasPriority() && f.Priority.StreamDep == id {
		return malformed
	}
	if f.Truncated {
		malformed.Code = http2.ErrCodeEnhanceYourCalm
		return malformed
	}
	c.c.find(newH2Stream(c.c, id, request, slices.Clone(f.Fields), f.StreamEnded()))
	return nil
}

func (c *h2Client) reset(id uint32, code http2.ErrCode) error {
	s, err := c.stream(id)
	if s == nil {
		return err
	}
	u := s.up
	s.leave(code)
	s.drop(http2.StreamError{StreamID: id, Code: code})
	if u != nil && u.out.Floods() {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	return nil
}

// stream is nil if it is over; that one never was is an error.
func (c *h2Client) stream(id uint32) (*h2Stream, error) {
	s := c.c.streams[id]
	if s == nil && (id%2 == 0 || id > c.last && !c.draining) {
		return nil, http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return s, nil
}

func (c *h2Client) incoming(id uint32) (*h2Half, error) {
	s, err := c.stream(id)
	if s == nil {
		return nil, err
	}
	return &s.asked, nil
}

func (c *h2Client) outgoing(id uint32) (*h2Half, error) {
	s, err := c.stream(id)
	if s == nil {
		return nil, err
	}
	return &s.answer, nil
}

func (c *h2Client) sending(yield func(*h2Half) bool) {
	for _, s := range c.c.streams {
		if !yield(&s.answer) {
			return
		}
	}
}

func (c *h2Client) late(id uint32) bool { return c.unknown.has(id) || c.draining && id > c.last }

func (c *h2Client) breakOff(id uint32, code http2.ErrCode) {
	if s := c.c.streams[id]; s != nil {
		s.breakOff(code, http2.StreamError{StreamID: id, Code: code})
		return
	}
	c.writeReset(id, code)
	c.unknown.add(id)
	if id%2 == 1 {
		c.last = max(c.last, id)
	}
}

func (c *h2Client) goAway(*http2.GoAwayFrame)   {} // it is about what a server begins
func (c *h2Client) setting(http2.Setting) error { return nil }
func (c *h2Client) settled()                    {}
func (c *h2Client) owes() bool                  { return false }
func (c *h2Client) unwritable()                 { c.c.end(true) }

func (c *h2Client) written() {
	_ = c.client.CloseWrite()
	if c.left {
		c.c.end(false)
		return
	}
	_ = c.client.SetReadDeadline(time.Now().Add(h2Linger))
}

// h2Late are the last streams that were reset, of which frames may come that their
// sender wrote before it knew.
type h2Late struct {
	streams []uint32
	next    int
}

const h2LateStreams = 256

func (l *h2Late) add(stream uint32) {
	if len(l.streams) < h2LateStreams {
		l.streams = append(l.streams, stream)
		return
	}
	l.streams[l.next%h2LateStreams] = stream
	l.next++
}

func (l *h2Late) has(stream uint32) bool { return slices.Contains(l.streams, stream) }
