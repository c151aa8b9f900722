package credential

import (
	"errors"
	"fmt"
)

// Error is that there are no credentials.
type Error struct {
	Err error
	// Install is what the kubeconfig says of how to get the plugin; "" unless the
	// plugin is not there.
	Install string
}

func (e *Error) Error() string { return fmt.Sprintf("getting credentials: %v", e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// NotFound reports that there is no such program.
func (e *Error) NotFound() bool { return errors.As(e.Err, new(*notFoundError)) }

// NeedsLogin says that it is no use to send the request again: somebody has to log in.
func (e *Error) NeedsLogin() bool { return true }

var (
	// errEnded is why no plugin is run any more.
	errEnded = errors.New("exec: devtun is ending, and runs no plugin")
	// errLate is why the last attempt has failed.
	errLate = fmt.Errorf("exec: the plugin gave nothing within %v", undoTime)
	// errInterrupted is Ctrl-C, which a plugin with the terminal gets as devtun does.
	errInterrupted = errors.New("exec: the plugin was interrupted")
	// errRefused is why what a plugin has given is of no use.
	errRefused = errors.New("the API server does not accept what the plugin gives")
)
