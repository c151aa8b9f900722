package cli

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/output"
)

func TestWhatPutsBackIsFinishedWhoeverReads(t *testing.T) {
	whose := map[string]bool{"restore": false, "down": false, "clean": false, "forward": true, "list": true}
	for name, ends := range whose {
		read, write, err := os.Pipe()
		require.NoError(t, err)
		read.Close()
		defer write.Close()
		ctx, end := context.WithCancelCause(t.Context())
		streams := output.Streams{Out: write, Err: io.Discard}
		o := output.TakeOver(&streams.Out, &streams.Err, end, ctx.Done())
		require.Equal(t, write, output.Underlying(streams.Out))
		require.Equal(t, io.Discard, output.Underlying(streams.Err))
		suit(o, commands(t)["devtun "+name])
		_, err = io.WriteString(streams.Out, "x")
		require.ErrorIs(t, err, output.ErrNoReader)
		if ends {
			<-ctx.Done()
			require.NoError(t, ending.Failure(ctx), "the user wants it")
		}
		require.Equal(t, ends, output.Unread(ctx), name)
		end(nil)
	}
}
