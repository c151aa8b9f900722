package tunnel

import (
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/devtun/devtun/tunnel/mux"
	"github.com/devtun/devtun/tunnel/relay"
)

// describe says in a few words how a connection ended.
func describe(e relay.Ending) string {
	var remote *RemoteError
	switch {
	case e.Err == nil && e.By == relay.Local:
		return "client closed"
	case e.Err == nil:
		return "pod closed"
	case errors.Is(e.Err, errStopped), errors.Is(e.Err, context.Canceled):
		return "devtun stopped"
	case errors.Is(e.Err, errLeft):
		return "client left while held"
	case errors.Is(e.Err, errHeld):
		return "no endpoint in time"
	case refused(e.Err):
		return "refused by the pod"
	case errors.As(e.Err, &remote), errors.Is(e.Err, mux.ErrReset):
		return "reset by the pod"
	case e.By == relay.Local && (errors.Is(e.Err, syscall.ECONNRESET) || errors.Is(e.Err, syscall.EPIPE)):
		return "reset by the client"
	case errors.Is(e.Err, io.ErrUnexpectedEOF):
		return "API connection lost"
	}
	return "failed"
}
