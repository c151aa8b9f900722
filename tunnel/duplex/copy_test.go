package duplex_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
)

// conn is a connection that says nothing until over is closed, and then its end.
type conn struct {
	over  chan struct{}
	abort func()
}

func (c conn) Read([]byte) (int, error)    { <-c.over; return 0, io.EOF }
func (c conn) Write(p []byte) (int, error) { return len(p), nil }
func (c conn) CloseWrite() error           { return nil }
func (c conn) Abort()                      { c.abort() }
func (c conn) Close() error                { return nil }

// leaver is asked whether it has left, and has.
type leaver struct {
	conn
	asked *bool
}

func (l leaver) Left() bool { *l.asked = true; return true }

// TestWhoHasHeardAllMayLeave: there is nothing left to give up.
func TestWhoHasHeardAllMayLeave(t *testing.T) {
	for name, test := range map[string]struct{ remoteFirst, aborted bool }{
		"the far side ends first": {true, false},
		"the near side does":      {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked, aborted := false, false
				remote := conn{make(chan struct{}), func() {}}
				remote.abort = sync.OnceFunc(func() { aborted = true; close(remote.over) })
				local := leaver{conn{make(chan struct{}), func() {}}, &asked}
				returned := make(chan struct{})
				go func() { duplex.Copy(t.Context(), local, remote, nil); close(returned) }()
				if test.remoteFirst {
					close(remote.over)
					synctest.Wait()
				}
				close(local.over)
				<-returned
				require.Equal(t, test.aborted, asked)
				require.Equal(t, test.aborted, aborted)
			})
		})
	}
}

// TestNothingIsAbortedOnceCopyHasReturned: its caller may use the connections again.
func TestNothingIsAbortedOnceCopyHasReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over, aborting, goOn := make(chan struct{}), make(chan struct{}), make(chan struct{})
		local := conn{over, func() { close(aborting); <-goOn }}
		remote := conn{over, func() {}}
		ctx, cancel := context.WithCancel(t.Context())
		returned := make(chan duplex.Ending)
		go func() {
			_, ending := duplex.Copy(ctx, local, remote, nil)
			returned <- ending
		}()
		cancel()
		<-aborting
		close(over) // both directions end by themselves meanwhile
		synctest.Wait()
		select {
		case <-returned:
			t.Fatal("it has returned, and is still aborting")
		default:
		}
		close(goOn)
		require.ErrorIs(t, (<-returned).Err, context.Canceled)
	})
}
