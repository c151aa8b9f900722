package duplex_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
)

// pair is a client's connection, as a program has it and as it was accepted.
func pair(t *testing.T) (program net.Conn, client duplex.TCP) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	program, err = net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	accepted, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { program.Close(); accepted.Close() })
	return program, duplex.TCP{TCPConn: accepted.(*net.TCPConn)}
}

func says(t *testing.T, to io.Writer, text string) {
	t.Helper()
	_, err := io.WriteString(to, text)
	require.NoError(t, err)
}

func hears(t *testing.T, from io.Reader, text string) {
	t.Helper()
	got := make([]byte, len(text))
	_, err := io.ReadFull(from, got)
	require.NoError(t, err)
	require.Equal(t, text, string(got))
}

func TestTheNextOneHearsAllOfIt(t *testing.T) {
	program, client := pair(t)
	r := duplex.NewRewindable(client, 100, false)
	says(t, program, "hello")
	hears(t, r, "hello")
	r.Abort()
	_, err := r.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed, "the attempt is over")
	require.True(t, r.Rewind())
	says(t, program, " world")
	hears(t, r, "hello world")
	require.Zero(t, r.WriteNow([]byte("nothing yet")), "it is not bound")

	says(t, r, "answer")
	require.Len(t, " and more", r.WriteNow([]byte(" and more")))
	hears(t, program, "answer and more")
	require.False(t, r.Rewind(), "the client has heard this one")
	r.Restart([]byte("again "))
	says(t, program, "please")
	hears(t, r, "again please")
	require.True(t, r.Rewind())
}

func TestAbortReleasesAReader(t *testing.T) {
	_, client := pair(t)
	r := duplex.NewRewindable(client, 100, true)
	read := make(chan error)
	go func() { _, err := r.Read(make([]byte, 1)); read <- err }()
	r.Abort()
	require.Error(t, <-read)
	require.True(t, r.Rewind())
	require.False(t, r.Failed(), "that was not the client")
}

func TestReadAhead(t *testing.T) {
	program, client := pair(t)
	r := duplex.NewRewindable(client, 8, false)
	says(t, program, "hello")
	room, err := r.ReadAhead()
	require.NoError(t, err)
	require.True(t, room)
	says(t, program, "world")
	for room {
		room, err = r.ReadAhead()
		require.NoError(t, err)
	}
	hears(t, r, "hellowor")
	require.True(t, r.Rewind(), "no more than is kept was read")
	hears(t, r, "helloworld")
	require.False(t, r.Rewind(), "not all of it was kept")
}

func TestAFullOneWaits(t *testing.T) {
	program, client := pair(t)
	r := duplex.NewRewindable(client, 5, true)
	says(t, program, "hello world")
	hears(t, r, "hello")
	read := make(chan string)
	go func() {
		rest := make([]byte, 6)
		io.ReadFull(r, rest)
		read <- string(rest)
	}()
	select {
	case <-read:
		t.Fatal("more was read than is kept")
	case <-time.After(10 * time.Millisecond):
	}
	r.Bind()
	require.Equal(t, " world", <-read)
}
