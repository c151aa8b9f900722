package e2e

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// background is work that goes on while a test does something else.
type background struct {
	cancel context.CancelFunc
	group  errgroup.Group
}

// inBackground starts work of several kinds, each called again and again, with
// a pause between, until the end or its first error. It ends with the test if
// not before.
func inBackground(t *testing.T, pause time.Duration, work ...func(ctx context.Context, round int) error) *background {
	ctx, cancel := context.WithCancel(context.Background())
	b := &background{cancel: cancel}
	for _, do := range work {
		b.group.Go(func() error {
			for round := 0; ; round++ {
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(pause):
				}
				if err := do(context.WithoutCancel(ctx), round); err != nil {
					return err
				}
			}
		})
	}
	t.Cleanup(func() { b.stop() })
	return b
}

// stop waits for the last round and returns the first error of any.
func (b *background) stop() error {
	b.cancel()
	return b.group.Wait()
}
