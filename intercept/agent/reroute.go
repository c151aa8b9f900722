package agent

import (
	"context"
	"io"
	"time"

	"github.com/devtun/devtun/internal/pause"
)

// A client that keeps its connection must not lose a request because the
// developer's side has gone since the last one. So when that side ends the
// connection between two requests, or is not heard any more, it is detached: the
// client learns nothing, and its connection is rerouted. So is one whose first request
// that side has dropped: Go's http.Server, told to shut down, closes a connection whose
// request it has just read, without an answer.

// noticeTimeout is how long it takes to know why the developer's side has ended a
// connection: a local process that stops ends its connections first, and is then
// found not to listen.
const noticeTimeout = 400 * time.Millisecond

// detach takes the connection from the developer's side, and reports that nobody
// has it: nothing that was asked is being answered, and what was asked may be
// asked again. ended says that the developer's side has ended the connection; if
// it has only fallen silent, a first request may be at a breakpoint there, and
// stays.
func (c *client) detach(ended bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.detached {
		return true
	}
	between := c.answers.complete && !c.answers.opaque && !c.answers.last
	dropped := ended && !c.answers.begun() && isOneRequest(c.pending.text)
	ending := c.last || c.closing || c.ended
	if !between && !dropped || !c.pending.repeatable() || c.writing || ending || c.atOrigin.Load() {
		return false
	}
	c.detached = true
	c.SetReadDeadline(time.Unix(1, 0))
	return true
}

func (c *client) isDetached() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.detached
}

// reattach ends that, and returns what is still to be answered.
func (c *client) reattach() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.detached = false
	c.SetReadDeadline(time.Time{})
	return append([]byte(nil), c.pending.text...)
}

// mayReroute reports whether a connection that was detached from d is to be carried anew:
// if d takes no more of them, or if the client asks something that d has never
// seen. Otherwise the local process has ended this one connection, and means it.
func (a *Agent) mayReroute(ctx context.Context, d *developer, port Port, c *client) bool {
	asked, repeatable := c.hasAsked()
	if !repeatable || port.Origin == "" && a.isDraining() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
	defer cancel()
	for ctx.Err() == nil {
		changed := a.changed.Wait()
		if now, _ := a.routes(port); now != d {
			return true
		}
		if !asked {
			asks, gone := c.asksWithin(noticeTimeout)
			if asks || gone {
				return asks
			}
			now, _ := a.routes(port)
			return now != d
		}
		_ = pause.Until(ctx, changed, pause.Forever) // the loop asks ctx
	}
	return false
}

func (c *client) hasAsked() (asked, repeatable bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending.text) > 0, c.pending.repeatable()
}

// asksWithin waits for the client's next words, which are kept, or its end.
func (c *client) asksWithin(timeout time.Duration) (asks, gone bool) {
	c.SetReadDeadline(time.Now().Add(timeout))
	n, _ := c.Read(make([]byte, smallRequest))
	c.mu.Lock()
	defer c.mu.Unlock()
	return n > 0, c.ended
}

// closeWhenIdle tells the client the end, and waits a little for its own.
func (c *client) closeWhenIdle() {
	c.CloseWrite()
	c.SetReadDeadline(time.Now().Add(closeTimeout))
	_, _ = io.Copy(io.Discard, c.TCP) // until it ends, in whichever way
}
