package plan

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// TouchedPrefix begins the annotations on the ConfigMap of a plan, one for each claim:
// when, by the clock of the developer's machine, an agent was last in use by it. It is
// for people; devtun only looks whether it changes.
const TouchedPrefix = "touched.devtun.dev/"

// TouchEvery is the longest that may lie between two touches of an intercept with
// that grace period, and between two looks at them: one of each may get lost.
func TouchEvery(grace time.Duration) time.Duration { return grace / 4 }

// Touch says, for every agent of the intercept to see, that the developer of a claim is
// there: not every one of them need be within reach. The developer's side calls
// it while it has a session with at least one. The error is ErrNone or ErrRestored if the
// intercept no longer stands or is being restored, and ErrEnded if the claim no longer
// stands.
func Touch(ctx context.Context, client *Client, ref Ref, id string) error {
	err := update(ctx, client, ref, func(s *stored) ([]operation, error) {
		return []operation{touch(id)}, s.has(id)
	})
	if err != nil && !Gone(err) {
		return fmt.Errorf("touch plan: %w", err)
	}
	return err
}

// LastTouch is a word that every Touch of a claim changes. The errors are Touch's.
func LastTouch(ctx context.Context, client *Client, ref Ref, id string) (string, error) {
	s, err := loadStored(ctx, client, ref)
	if err != nil {
		return "", err
	}
	return s.touched()[id], s.has(id)
}

// Gone reports that an intercept, or a claim on it, does not stand.
func Gone(err error) bool {
	return errors.Is(err, ErrNone) || errors.Is(err, ErrRestored) || errors.Is(err, ErrEnded)
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
