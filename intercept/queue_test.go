package intercept

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Who is told may hang: nobody waits, and memory is bounded.
func TestQueue(t *testing.T) {
	hold := make(chan struct{})
	began := make(chan struct{}, 1)
	var told []Event
	q := newQueue(func(e Event) {
		wake(began)
		<-hold
		told = append(told, e)
	})
	telling := q.start()
	q.put(Event{Progress: &ProgressEvent{"first"}})
	<-began
	for range queueLimit + 100 {
		q.put(Event{Connection: &ConnectionEvent{}})
	}
	q.put(Event{Progress: &ProgressEvent{"last"}})
	close(hold)
	q.close()
	telling.Wait()
	q.put(Event{Progress: &ProgressEvent{"too late"}})
	require.Len(t, told, 1+queueLimit+1)
	require.Equal(t, "first", told[0].Progress.Message)
	require.Equal(t, "last", told[len(told)-1].Progress.Message)
}
