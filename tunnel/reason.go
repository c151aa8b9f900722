package tunnel

import (
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/mux"
)

// ErrWithdrawn is the cause of a Port's context that ends because the service does
// not have the port any more, or is no longer forwarded.
var ErrWithdrawn = errors.New("the service does not have the port any more")

// describe says in a few words how a connection ended, and with what error, if more
// can be said of that: nothing of an ordinary end.
func describe(e duplex.Ending) (reason string, err error) {
	var remote *RemoteError
	switch {
	case e.Err == nil && e.By == duplex.Local:
		return "client closed", nil
	case e.Err == nil:
		return "pod closed", nil
	case errors.Is(e.Err, errOver):
		return "pod closed", nil
	case errors.Is(e.Err, errIdle):
		return "idle", nil
	case errors.Is(e.Err, errGone):
		return "endpoint gone", nil
	case errors.Is(e.Err, errCrowded):
		return "too many flows", nil
	case errors.Is(e.Err, ErrWithdrawn):
		return "no longer forwarded", nil
	case errors.Is(e.Err, errStopped), errors.Is(e.Err, context.Canceled):
		return "devtun stopped", nil
	case errors.Is(e.Err, errLeft):
		return "client left while held", nil
	case errors.Is(e.Err, errHeld):
		return "no endpoint in time", e.Err
	case refused(e.Err):
		return "refused by the pod", e.Err
	case errors.As(e.Err, &remote), errors.Is(e.Err, mux.ErrReset):
		return "reset by the pod", e.Err
	case e.By == duplex.Local && (errors.Is(e.Err, syscall.ECONNRESET) || errors.Is(e.Err, syscall.EPIPE)):
		return "reset by the client", nil
	case errors.Is(e.Err, io.ErrUnexpectedEOF):
		return "API connection lost", e.Err
	}
	return "failed", e.Err
}
