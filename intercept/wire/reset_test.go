package wire

import (
	"context"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAResetIsNoEnd(t *testing.T) {
	agent, streams := pair(t)
	for name, abort := range map[string]func(at, far *Stream) (broken *Stream){
		"agent":     func(at, far *Stream) *Stream { at.Abort(); return far },
		"developer": func(at, far *Stream) *Stream { far.Refuse("because"); return at },
		"after its own end": func(at, far *Stream) *Stream {
			far.CloseWrite()
			far.Abort()
			return at
		},
	} {
		t.Run(name, func(t *testing.T) {
			at, far := open(t, agent, streams)
			_, err := at.Write([]byte("half a sen"))
			require.NoError(t, err)
			broken := abort(at, far)
			_, err = io.Copy(io.Discard, broken)
			for err == nil { // the orderly end that came before the reset
				<-broken.Broken()
				_, err = io.Copy(io.Discard, broken)
			}
			var reset *ResetError
			require.ErrorAs(t, err, &reset)
			if name == "developer" {
				require.Equal(t, "because", reset.Why)
			}
			_, err = broken.Write([]byte("x"))
			require.ErrorAs(t, err, &reset)
		})
	}
	requireForgotten(t, agent)
}

// A stream may be reset before the far side has taken it from yamux.
func TestAResetAtOnceIsAResetToo(t *testing.T) {
	agent, streams := pair(t)
	var opening sync.WaitGroup
	for range 200 {
		opening.Go(func() {
			at, err := agent.Open(t.Context(), Opening{Kind: KindConnection})
			if err == nil {
				at.Write([]byte("x"))
				at.Abort()
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	var taking sync.WaitGroup
	taking.Go(func() {
		for {
			select {
			case far := <-streams:
				<-far.Broken()
			case <-ctx.Done():
				return
			}
		}
	})
	opening.Wait()
	requireForgotten(t, agent)
	cancel()
	taking.Wait()
}

func TestAResetPassesAFullWindow(t *testing.T) {
	agent, streams := pair(t)
	at, far := open(t, agent, streams)
	blocked := make(chan error, 1)
	go func() {
		_, err := at.Write(make([]byte, 2*mostWindow))
		blocked <- err
	}()
	_, err := io.ReadFull(far, make([]byte, 1<<10))
	require.NoError(t, err)
	far.Abort() // what is left does not fit the window
	var reset *ResetError
	require.ErrorAs(t, <-blocked, &reset)
	requireForgotten(t, agent)
}
