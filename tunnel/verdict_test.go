package tunnel_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/moby/spdystream"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
)

// refusing is an API connection as a runtime serves it whose dial in the pod fails
// once it has been sent something: the reason, and then a reset without an end.
func refusing(t *testing.T, reason string) io.ReadWriteCloser {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	near, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	accepted, err := listener.Accept()
	require.NoError(t, err)
	far, err := spdystream.NewConnection(accepted, true)
	require.NoError(t, err)
	var serving, streams sync.WaitGroup
	reasons := make(chan *spdystream.Stream, 1)
	serving.Go(func() {
		far.Serve(func(stream *spdystream.Stream) {
			stream.SendReply(http.Header{}, false)
			if stream.Headers().Get("streamType") == "error" {
				reasons <- stream
				return
			}
			streams.Go(func() {
				if _, err := stream.Read(make([]byte, 1)); err != nil {
					return
				}
				errs := <-reasons
				io.WriteString(errs, reason)
				errs.Close()
				stream.Reset()
			})
		})
	})
	t.Cleanup(func() {
		accepted.Close()
		serving.Wait()
		streams.Wait()
	})
	return near
}

// TestBothDirectionsKnowARefusal: the one that hears of it first does not keep it
// from the other.
func TestBothDirectionsKnowARefusal(t *testing.T) {
	read := func(conn tunnel.Conn) error {
		_, err := conn.Read(make([]byte, 1))
		return err
	}
	write := func(conn tunnel.Conn) (err error) {
		for err == nil {
			_, err = conn.Write([]byte("x"))
		}
		return err
	}
	for name, ways := range map[string][]func(tunnel.Conn) error{
		"read first": {read, write}, "written first": {write, read},
	} {
		t.Run(name, func(t *testing.T) {
			pool := tunnel.NewPool(func(context.Context, tunnel.Pod) (io.ReadWriteCloser, error) {
				return refusing(t, "connect: connection refused"), nil
			})
			defer pool.Close()
			conn, err := pool.Dial(soon(t), pod, 80)
			require.NoError(t, err)
			defer conn.Close()
			_, err = conn.Write([]byte("x"))
			require.NoError(t, err)
			for _, way := range ways {
				var remote *tunnel.RemoteError
				require.ErrorAs(t, way(conn), &remote)
				require.True(t, remote.Refused())
			}
		})
	}
}

// TestRemoteErrorsAreInAUsersWords: without namespaces and addresses of the node.
func TestRemoteErrorsAreInAUsersWords(t *testing.T) {
	for raw, words := range map[string]string{
		`failed to execute portforward in network namespace "/var/run/netns/cni-4f1c": failed to connect to localhost:81 inside namespace "4f1c", IPv4: dial tcp4 127.0.0.1:81: connect: connection refused`: "connection refused: no process in the pod listens on that port on its loopback or on all addresses",
		`failed to execute portforward in network namespace "/var/run/netns/cni-4f1c": read tcp4 127.0.0.1:40000->127.0.0.1:80: read: connection reset by peer`:                                              "connection reset by the process in the pod",
		`failed to execute portforward in network namespace "/var/run/netns/cni-4f1c": write tcp4 127.0.0.1:40000->127.0.0.1:80: write: broken pipe`:                                                         "the process in the pod has closed the connection, and was sent more",
		`network namespace for sandbox "4f1c" is closed`: "the pod's sandbox is gone",
		`something new`: "something new",
	} {
		for _, uid := range []string{"", "0b1c"} {
			err := &tunnel.RemoteError{Message: "error forwarding port 80 to pod 4f1c, uid " + uid + ": " + raw}
			require.EqualError(t, err, words)
		}
		require.EqualError(t, &tunnel.RemoteError{Message: raw}, words)
	}
}
