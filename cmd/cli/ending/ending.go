package ending

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/devtun/devtun/cmd/cli/output"
)

// ErrDown is why a command's context ends when 'devtun down' ends it: like Ctrl-C, but
// for what runs behind --, which Ctrl-C reaches by itself.
var ErrDown = fmt.Errorf("ended by 'devtun down': %w", context.Canceled)

// Signals are the signals that end devtun in an orderly way: Ctrl-C, a polite
// kill, and the terminal's end unless somebody (nohup) wants that ignored.
func Signals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// Failure is why ctx ended, unless the user wanted that.
func Failure(ctx context.Context) error { return Unwanted(context.Cause(ctx)) }

// Unwanted is the cause of an end, unless the user wanted that.
func Unwanted(cause error) error {
	if errors.Is(cause, context.Canceled) {
		return nil
	}
	return cause
}

// UnlessEnded is err, or what ctx ended with, which is no error if the user wanted
// that.
func UnlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return Failure(ctx)
	}
	return err
}

// Lasting is ctx for a COMMAND, which outlives the signals that end ctx: they are the
// COMMAND's. Without a reader it ends.
func Lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if output.Unread(ctx) || Failure(ctx) != nil || errors.Is(context.Cause(ctx), ErrDown) {
			end()
		}
	})
	return running, func() { stop(); end() }
}

// Finishes marks commands that finish what they have begun when their reader goes.
const Finishes = "finishes"

// Holds marks commands that hold something in the cluster until their end, though nothing
// on the machine.
const Holds = "holds something"
