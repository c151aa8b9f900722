package look

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/proxy"
)

const (
	// openTimeout bounds the wait until a copy has a stream.
	openTimeout = 5 * time.Second

	// copyCost, in bytes, is what a copy takes beside what is copied.
	copyCost = 1 << 10
)

var (
	errFull   = errors.New("the developer's side is too slow")
	errCut    = errors.New("the request broke off")
	errMirror = errors.New("the mirror has ended")
)

// copied is a request that is being copied: whoever carries it puts frames into a queue,
// and send takes them out.
type copied struct {
	of    *Mirror
	about About
	more  chan struct{} // holds a token when there are frames, or it has ended

	mu     sync.Mutex
	frames []frame
	cost   int   // of the budget
	whole  bool  // the last frame is there
	err    error // why there will be no more
	stream *wire.Stream
}

// newCopied begins a copy; nil is that there is no room for it.
func newCopied(m *Mirror, r *proxy.Request, about About) *copied {
	cost := copyCost + len(r.Raw) + len(r.Target)
	head := Head{Protocol: r.Protocol, Method: r.Method, Target: r.Target, Authority: r.Authority, Scheme: r.Scheme,
		Extended: r.Extended}
	switch {
	case r.Whole():
	case r.Protocol == proxy.HTTP1:
		head.Raw = bytes.Clone(r.Raw)
		head.Chunked = slices.ContainsFunc(r.Values("transfer-encoding"), func(v string) bool {
			return strings.EqualFold(v, "chunked")
		})
	default:
		head.Header = flat(r.Header)
		for _, part := range head.Header {
			cost += len(part)
		}
	}
	if !m.budget.take(cost) {
		return nil
	}
	c := &copied{of: m, about: about, more: make(chan struct{}, 1), cost: cost}
	payload, err := json.Marshal(head)
	if err != nil {
		panic(err) // a Head holds nothing that JSON does not
	}
	c.frames = []frame{{frameHead, payload}}
	c.wake()
	return c
}

func (c *copied) RequestBody(p []byte) {
	for part := range slices.Chunk(p, maxFrame) {
		c.add(frameBody, part)
	}
}

func (c *copied) RequestEnd(trailer []proxy.Field) {
	if len(trailer) > 0 {
		if payload, err := json.Marshal(flat(trailer)); err == nil {
			c.add(frameTrailer, payload)
		}
	}
	c.finish(nil)
}

func (c *copied) Answer(int, []proxy.Field)   {}
func (c *copied) AnswerBody([]byte)           {}
func (c *copied) AnswerTrailer([]proxy.Field) {}

func (c *copied) End(err error) {
	if err != nil {
		err = errCut
	}
	c.finish(err)
}

// finish ends the copy, if it has not ended: with an error it is not whole.
func (c *copied) finish(err error) {
	c.mu.Lock()
	whole := c.whole
	c.mu.Unlock()
	switch {
	case whole: // the answer is of no interest
	case err != nil:
		c.fail(err)
	default:
		c.add(frameEnd, nil)
	}
}

// add adds a frame, unless it is too late, or there is no room: then all is given up.
func (c *copied) add(kind byte, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || c.whole {
		return
	}
	if !c.of.budget.take(len(payload)) {
		c.giveUp(errFull)
		return
	}
	c.cost += len(payload)
	c.frames = append(c.frames, frame{kind, bytes.Clone(payload)})
	c.whole = kind == frameEnd
	c.wake()
}

func (c *copied) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveUp(err)
}

// giveUp lets go of what is left. Call it with mu held.
func (c *copied) giveUp(err error) {
	if c.err != nil {
		return
	}
	c.err, c.frames = err, nil
	c.of.budget.give(c.cost)
	c.cost = 0
	if c.stream != nil {
		c.stream.Abort()
	}
	c.wake()
}

// stop lets go of a copy that is not to be sent.
func (c *copied) stop() { c.fail(errMirror) }

// wake leaves a token.
func (c *copied) wake() {
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// send sends the copy as it comes, and returns once the developer's side is done with
// it. The error is why that has not got a whole one.
func (c *copied) send(ctx context.Context) error {
	err := c.sendFrames(ctx)
	c.mu.Lock()
	err = cmp.Or(c.err, err) // which is the reason for the other
	c.mu.Unlock()
	c.stop()
	return err
}

func (c *copied) sendFrames(ctx context.Context) error {
	opening, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	stream, err := c.of.link.Open(opening, wire.Opening{Kind: wire.KindMirror, Port: c.about.Port,
		Client: c.about.Client})
	if err != nil {
		return err
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, stream.Abort)()
	c.mu.Lock()
	c.stream = stream
	c.mu.Unlock()
	for whole := false; !whole; {
		select {
		case <-c.more:
		case <-stream.Broken():
		case <-ctx.Done():
		}
		var frames []frame
		if frames, whole, err = c.take(); err != nil {
			return err
		}
		for _, f := range frames {
			if err := f.write(stream); err != nil {
				return fmt.Errorf("send copy: %w", err)
			}
			c.sent(f)
		}
		if err := stream.Err(); err != nil {
			return err
		}
	}
	if err := stream.CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, stream) // which is empty: it ends with the answer
	return err
}

// take takes all frames that there are. It reports that no more will come.
func (c *copied) take() (frames []frame, whole bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames, c.frames = c.frames, nil
	return frames, c.whole, c.err
}

// sent gives back what a frame took, but for the head's, which stays until the end.
func (c *copied) sent(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.kind != frameHead && c.err == nil {
		c.cost -= len(f.payload)
		c.of.budget.give(len(f.payload))
	}
}
