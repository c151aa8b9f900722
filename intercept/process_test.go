package intercept

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheProcessHere is dialled by what begins on this machine, and that is no request of
// the cluster's.
func TestTheProcessHere(t *testing.T) {
	w := newWorld(t, 1)
	at := "127.0.0.1:" + freePort(t)
	s, _ := w.standing(Local{Port: port, Address: at})
	process, intercepted := s.Process(port)
	require.True(t, intercepted)
	again, _ := s.Process(port)
	require.True(t, process == again, "they are compared")
	_, intercepted = s.Process(port + 1)
	require.False(t, intercepted)
	require.False(t, process.Listens())
	_, err := process.Dial(t.Context())
	require.Error(t, err)

	server := serve(t, at, "local")
	w.eventually(process.Listens)
	conn, err := process.Dial(t.Context())
	require.NoError(t, err)
	require.Nil(t, conn.Taken(), "it has it from the start")
	_, err = io.WriteString(conn, "who?\n")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Zero(t, s.Summary().Taken)
	require.NoError(t, server.Close())
	w.eventually(func() bool { return !process.Listens() })
}
