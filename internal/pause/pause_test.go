package pause

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errEnough = errors.New("enough")

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		require.NoError(t, Sleep(t.Context(), time.Minute))
		require.Equal(t, time.Minute, time.Since(began))

		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errEnough) })
		began = time.Now()
		require.ErrorIs(t, Sleep(ctx, time.Minute), errEnough)
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changed := make(chan struct{})
		time.AfterFunc(time.Hour, func() { close(changed) })
		began := time.Now()
		require.NoError(t, Until(t.Context(), changed, time.Minute))
		require.Equal(t, time.Minute, time.Since(began))
		require.NoError(t, Until(t.Context(), changed, Forever))
		require.Equal(t, time.Hour, time.Since(began))
	})
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{Min: time.Second, Max: 5 * time.Second}
		for _, want := range []time.Duration{1, 2, 4, 5, 5} {
			began := time.Now()
			require.NoError(t, b.Sleep(t.Context()))
			require.Equal(t, want*time.Second, time.Since(began))
		}
		b.Reset()
		require.Equal(t, time.Second, b.Next())
	})
}
