package ending

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/output"
)

// TestWhatEndsACommand: signals are its own affair.
func TestWhatEndsACommand(t *testing.T) {
	broken := errors.New("it broke")
	for cause, ends := range map[error]bool{context.Canceled: false, output.ErrNoReader: true, broken: true} {
		ctx, end := context.WithCancelCause(t.Context())
		running, stop := Lasting(ctx)
		end(cause)
		if ends {
			<-running.Done()
		}
		require.Equal(t, ends, running.Err() != nil, "%v", cause)
		stop()
	}
}
