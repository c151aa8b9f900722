package podproxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/wire"
)

func TestALinkGetsAConnectionThroughTheProxy(t *testing.T) {
	w := newWorld(t)
	stop := w.keep()
	require.NoError(t, w.tells())
	here, there := w.session.next(t), w.agent.next(t)
	carries(t, here, there)

	// Nobody else may come once the session is gone; what stands is the link's.
	stop()
	carries(t, here, there)
	require.Eventually(t, func() bool {
		w.port.mu.Lock()
		defer w.port.mu.Unlock()
		return len(w.port.agreed) == 0
	}, testTimeout, time.Millisecond)

	// An end is one of both directions, seen at the far side.
	require.NoError(t, here.Close())
	_, err := there.Read(make([]byte, 1))
	require.Error(t, err)
}

func TestALostConnectionIsMadeAgain(t *testing.T) {
	w := newWorld(t)
	w.keep()
	require.NoError(t, w.tells())
	here := w.session.next(t)
	require.NoError(t, w.agent.next(t).Close())
	_, err := here.Read(make([]byte, 1))
	require.Error(t, err)
	require.NoError(t, here.Close(), "the link sees it")
	carries(t, w.session.next(t), w.agent.next(t))
	require.Empty(t, w.told, "told only if it does not come back")
}

func TestOneThatDoesNotComeBackIsTold(t *testing.T) {
	w := newWorld(t)
	var fails atomic.Bool
	w.dial = func(ctx context.Context, port int) (io.ReadWriteCloser, error) {
		if fails.Load() {
			return nil, errRefused
		}
		return w.throughProxy(ctx, port)
	}
	w.keep()
	require.NoError(t, w.tells())
	here := w.session.next(t)
	w.agent.next(t)
	fails.Store(true)
	require.NoError(t, here.Close())
	require.ErrorIs(t, w.tells(), errRefused)
	fails.Store(false)
	require.NoError(t, w.tells(), "it is back")
	carries(t, w.session.next(t), w.agent.next(t))
}

func TestALinkThatWantsAnotherGetsIt(t *testing.T) {
	w := newWorld(t)
	w.keep()
	require.NoError(t, w.tells())
	first, far := w.session.next(t), w.agent.next(t)
	w.session.wants <- struct{}{}
	carries(t, w.session.next(t), w.agent.next(t))
	carries(t, first, far)
}

var errRefused = errors.New("pods/proxy is forbidden")

func TestWhatCannotBeHadIsToldOnce(t *testing.T) {
	for name, test := range map[string]struct {
		dial func(*world) Dial
		want string
	}{
		"no right": {func(*world) Dial {
			return func(context.Context, int) (io.ReadWriteCloser, error) { return nil, errRefused }
		}, "connect through the pod proxy: pods/proxy is forbidden"},
		"another answers at the agent's address": {func(w *world) Dial {
			impostor := newWorld(t)
			own, err := newIdentity()
			require.NoError(t, err)
			return func(ctx context.Context, port int) (io.ReadWriteCloser, error) {
				w.port.mu.Lock()
				defer w.port.mu.Unlock()
				for name, of := range w.port.agreed { // it knows all but the agent's private key
					of.own = own
					impostor.port.note(name, of)
				}
				return impostor.throughProxy(ctx, port)
			}
		}, errKey.Error()},
		"what answers is no agent": {func(*world) Dial {
			return func(context.Context, int) (io.ReadWriteCloser, error) {
				here, there := net.Pipe()
				go func() {
					_, _ = there.Read(make([]byte, 64<<10))
					there.Close()
				}()
				return here, nil
			}
		}, "shake hands: EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tries, dial := 0, test.dial(w)
			w.dial = func(ctx context.Context, port int) (io.ReadWriteCloser, error) {
				tries++
				return dial(ctx, port)
			}
			stop := w.keep()
			require.ErrorContains(t, w.tells(), test.want)
			stop()
			require.Equal(t, 1, tries)
			require.Empty(t, w.told)
			require.Empty(t, w.session.added)
		})
	}
}

func TestAKeyThatIsNoneIsRefused(t *testing.T) {
	w := newWorld(t)
	stream, err := w.session.Open(t.Context(), wire.Opening{Kind: wire.KindProxy, Key: []byte("short")})
	require.NoError(t, err)
	defer stream.Close()
	_, err = stream.Read(make([]byte, 1))
	require.ErrorContains(t, err, "a key has 32 bytes, not 5")
}
