package intercept

import (
	"context"
	"errors"
	"syscall"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
)

// closed takes note of a connection's end, and tells it.
func (i *Intercept) closed(pod string, r wire.Report) {
	var refused *refusedError
	i.count.change(func() {
		if r.Ending.Err != nil && !errors.As(r.Ending.Err, &refused) {
			i.count.Broken++
		}
	})
	i.tell(Event{Connection: &ConnectionEvent{
		Pod: pod, Port: r.Port, Client: r.Client, Traffic: r.Traffic, Duration: r.Duration,
		Reason: describe(r.Ending), Err: r.Ending.Err,
	}})
}

// describe says in a few words how a connection ended.
func describe(e duplex.Ending) string {
	var refused *refusedError
	var reset *wire.ResetError
	switch {
	case e.Err == nil && e.By == duplex.Local:
		return "client closed"
	case e.Err == nil:
		return "local process closed"
	case errors.As(e.Err, &refused):
		return "not taken by the local process"
	case errors.Is(e.Err, context.Canceled):
		return "devtun stopped"
	case errors.Is(e.Err, wire.ErrLost):
		return "link lost"
	case errors.As(e.Err, &reset):
		return "reset by the client"
	case e.By == duplex.Remote && (errors.Is(e.Err, syscall.ECONNRESET) || errors.Is(e.Err, syscall.EPIPE)):
		return "reset by the local process"
	}
	return "failed"
}
