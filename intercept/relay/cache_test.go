package relay

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestACacheInTime: an answer is good for a while; while the next is asked for, others make
// do with it, if it was good until just now; and while none is to be had it stays.
func TestACacheInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c cache
		const good = 10 * time.Second
		asked, answer, failed, slow := 0, "one", error(nil), time.Duration(0)
		get := func() (string, error) {
			return known(t.Context(), &c, "?", func(ctx context.Context) (string, time.Duration, error) {
				asked++
				found, err := answer, failed
				select {
				case <-time.After(slow):
				case <-ctx.Done():
					err = ctx.Err()
				}
				return found, good, err
			})
		}
		require := require.New(t)
		is := func(want string, times int) {
			t.Helper()
			got, err := get()
			require.NoError(err)
			require.Equal(want, got)
			require.Equal(times, asked)
		}
		is("one", 1)
		time.Sleep(good - time.Nanosecond)
		answer = "two"
		is("one", 1)

		time.Sleep(2 * time.Nanosecond)
		slow = time.Millisecond
		renewed := make(chan string)
		go func() { got, _ := get(); renewed <- got }()
		synctest.Wait()
		is("one", 2) // without a wait
		require.Equal("two", <-renewed)
		is("two", 2)

		time.Sleep(3 * good) // that is too old to make do with
		answer = "three"
		go func() { got, _ := get(); renewed <- got }()
		synctest.Wait()
		is("three", 3)
		require.Equal("three", <-renewed)

		failed = errors.New("away")
		time.Sleep(good)
		is("three", 4)
		time.Sleep(good)
		slow = time.Minute
		begun := time.Now()
		is("three", 5)
		require.Equal(renewTimeout, time.Since(begun))
		time.Sleep(staleLimit)
		slow = 0
		_, err := get()
		require.ErrorIs(err, failed)
		_, err = get()
		require.ErrorIs(err, failed)
		require.Equal(6, asked, "it is not asked again at once")
		failed, answer = nil, "four"
		time.Sleep(failedAfter)
		is("four", 7)
	})
}

// TestWhoAsksMayLeave, and the answer comes for the others.
func TestWhoAsksMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c cache
		get := func(ctx context.Context) (string, error) {
			return known(ctx, &c, "?", func(ctx context.Context) (string, time.Duration, error) {
				select {
				case <-time.After(time.Second):
					return "answer", time.Hour, nil
				case <-ctx.Done():
					return "", 0, ctx.Err()
				}
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = get(ctx) }()
		synctest.Wait()
		impatient, leave := context.WithTimeout(t.Context(), time.Millisecond)
		defer leave()
		_, err := get(impatient)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
		got, err := get(t.Context())
		require.NoError(t, err)
		require.Equal(t, "answer", got)
	})
}
