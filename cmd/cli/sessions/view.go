package sessions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/live"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/status"
)

// viewSession shows a session in the terminal until it ends, or the user leaves.
func viewSession(ctx context.Context, directory background.Directory, name string, streams output.Streams) error {
	ctx, cancel := context.WithCancel(ctx)
	client := directory.Client(name)
	if _, err := client.Await(ctx, directory); err != nil {
		cancel()
		return err
	}
	snapshots := make(chan status.Snapshot)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	var lost error
	watching.Go(func() {
		defer close(snapshots)
		lost = client.Watch(ctx, func(s status.Snapshot) error {
			select {
			case snapshots <- s:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	})
	err := live.Run(ctx, live.Config{
		Next: func(ctx context.Context) (status.Snapshot, error) {
			select {
			case s, more := <-snapshots:
				if !more {
					return s, cmp.Or(lost, io.EOF)
				}
				return s, nil
			case <-ctx.Done():
				return status.Snapshot{}, context.Cause(ctx)
			}
		},
		In: streams.In, Out: output.Underlying(streams.Out), Env: streams.Env, Colour: streams.Colour,
	})
	if errors.Is(err, io.EOF) {
		fmt.Fprintf(streams.Out, "session %s has ended\n", name)
		return nil
	}
	return err
}
