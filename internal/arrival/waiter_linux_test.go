package arrival

import (
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener
}

func connect(t *testing.T, to net.Listener) {
	t.Helper()
	conn, err := net.Dial("tcp", to.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
}

func TestEachListenerIsToldOfOnce(t *testing.T) {
	const many = 3 * batch
	before := runtime.NumGoroutine()
	w := New()
	defer w.Close()
	came := make(chan int, 2*many)
	listeners := make([]net.Listener, many)
	for i := range listeners {
		listeners[i] = listen(t)
		require.True(t, w.Wait(listeners[i], func() { came <- i }))
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before+1)

	connect(t, listeners[1])
	require.Equal(t, 1, <-came)
	conn, err := listeners[1].Accept()
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	connect(t, listeners[1]) // of which nobody is told

	for i, listener := range listeners {
		if i != 1 {
			connect(t, listener)
		}
	}
	told := map[int]bool{}
	for range many - 1 {
		told[<-came] = true
	}
	require.Len(t, told, many-1)
	require.NotContains(t, told, 1)
	require.Empty(t, came)
}

func TestAConnectionThatIsThereIsTold(t *testing.T) {
	w := New()
	defer w.Close()
	listener := listen(t)
	connect(t, listener)
	came := make(chan struct{})
	require.True(t, w.Wait(listener, func() { close(came) }))
	<-came
}

func TestForgottenOnesAreNotToldOf(t *testing.T) {
	w := New()
	defer w.Close()
	w.Forget(listen(t)) // that it never knew
	forgotten, other := listen(t), listen(t)
	require.True(t, w.Wait(forgotten, func() { t.Error("it was told of") }))
	came := make(chan struct{})
	require.True(t, w.Wait(other, func() { close(came) }))
	w.Forget(forgotten)
	connect(t, forgotten)
	connect(t, other)
	<-came
}

func TestWhatCannotBeWaitedFor(t *testing.T) {
	w := New()
	closed := listen(t)
	require.NoError(t, closed.Close())
	require.False(t, w.Wait(closed, nil))
	require.False(t, w.Wait(struct{ net.Listener }{listen(t)}, nil), "it has no descriptor")
	require.True(t, w.Wait(listen(t), nil))
	w.Close()
	require.False(t, w.Wait(listen(t), nil), "after the end")
	New().Close()
}
