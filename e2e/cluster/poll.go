package cluster

import (
	"context"
	"fmt"
	"time"
)

// poll calls try until it succeeds. When the context ends first, the error is
// the latest one of try, which says what was waited for.
func poll(ctx context.Context, try func(context.Context) error) error {
	const interval = 50 * time.Millisecond
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		case <-time.After(interval):
		}
	}
}
