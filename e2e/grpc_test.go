package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/devtun/devtun/e2e/testserver/echo"
)

// rpcServer is a developer's gRPC server, which comes and goes.
type rpcServer struct {
	t       *testing.T
	address string
	calls   atomic.Int64 // that have begun
	server  *grpc.Server
}

// newRPCServer has an address, and does not listen.
func newRPCServer(t *testing.T) *rpcServer {
	t.Helper()
	s := &rpcServer{t: t, address: freeAddress(t)}
	t.Cleanup(func() {
		if s.server != nil {
			s.server.Stop()
		}
	})
	return s
}

// flag has service web's port for gRPC go there.
func (s *rpcServer) flag() string {
	_, port, _ := net.SplitHostPort(s.address)
	return "--port=" + port + ":" + strconv.Itoa(rpcPort)
}

// start listens and answers, as developerSays.
func (s *rpcServer) start() {
	s.t.Helper()
	listener, err := net.Listen("tcp", s.address)
	require.NoError(s.t, err)
	s.server = grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo,
			next grpc.UnaryHandler) (any, error) {
			s.calls.Add(1)
			return next(ctx, request)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo,
			next grpc.StreamHandler) error {
			s.calls.Add(1)
			return next(srv, stream)
		}))
	echo.Register(s.server, localKey)
	testgrpc.RegisterTestServiceServer(s.server, interop.NewTestServer())
	go s.server.Serve(listener)
}

// stop ends it in good order: what has begun is answered.
func (s *rpcServer) stop() {
	late := time.AfterFunc(endTimeout, s.server.Stop)
	defer late.Stop()
	s.server.GracefulStop()
	s.server = nil
}

// localKey is what the developer's server says it is, and the value of the header of the
// requests that are its own.
const localKey = "the-developer"

// localRule has those requests come here, and withKey makes one.
const localRule = "--header=x-tester=" + localKey

func withKey(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-tester", localKey)
}

// comings is how often the local process comes, and then goes.
const comings = 20

// TestGRPCFollowsTheLocalProcess: a client that is never idle, on a connection that is
// never closed, is answered here as soon as the process listens, by the origin as soon as
// it has stopped, and always. On a busy machine a link may fall silent for a moment, and
// the origin answer.
//
//e2e:alone
func TestGRPCFollowsTheLocalProcess(t *testing.T) { followsTheLocalProcess(t, []string{localRule}) }

func followsTheLocalProcess(t *testing.T, rule []string) {
	n := newNamespace(t).testserver("web", 1)
	local := newRPCServer(t)
	d := n.intercepts(kubeconfig(), append([]string{"web", local.flag()}, rule...)...)
	var h history
	conn := n.reachRPC()
	busy := occupy(t, conn)
	mark := 0
	word := func(what, to string) {
		t.Helper()
		_, err := d.hears(mark, time.Minute,
			func(e event) bool { return e.Type == "traffic" && e.Port == rpcPort && e.To == to })
		require.NoError(t, err, what)
		mark = d.mark()
	}
	// first makes an RPC, which nobody but that one may answer.
	first := func(about, is string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(withKey(t.Context()), loaderTimeout)
		defer cancel()
		_, trailer, err := echo.Say(ctx, conn, []byte("first"))
		require.NoError(t, err, about)
		require.Contains(t, strings.Join(trailer.Get(echo.HostTrailer), ","), is, about)
	}
	word("nobody listens here", "origin")
	first("nobody listens here", originSays)
	for i := range comings {
		h.from(time.Now(), eithers)
		local.start()
		word("the local process listens", "developer")
		h.from(time.Now(), theirs)
		first(fmt.Sprintf("the first one after it listens, %d", i), localKey)
		h.from(time.Now(), eithers)
		local.stop()
		h.from(time.Now(), origins)
		first(fmt.Sprintf("the first one after it has stopped, %d", i), originSays)
		word("it has stopped", "origin")
	}
	byOrigin, byDeveloper := judge(t, busy(), func(string) *history { return &h })
	for _, kind := range []string{"unary", "stream"} {
		require.NotZero(t, byOrigin[kind])
		require.NotZero(t, byDeveloper[kind])
	}
	d.stop()
}

// occupy makes one RPC after the other, and holds one conversation after the other
// beside, until all that was asked is wanted.
func occupy(t *testing.T, conn *grpc.ClientConn) (asked func() []question) {
	t.Helper()
	ctx, stop := context.WithCancel(withKey(t.Context()))
	var mu sync.Mutex
	var all []question
	var asking sync.WaitGroup
	over := func() { stop(); asking.Wait() }
	t.Cleanup(over)
	for kind, ask := range map[string]func(context.Context, *grpc.ClientConn) (string, error){
		"unary": say, "stream": converse,
	} {
		asking.Go(func() {
			for ctx.Err() == nil {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loaderTimeout)
				q := question{protocol: kind, key: localKey, from: time.Now()}
				q.said, q.err = ask(ctx, conn)
				q.to = time.Now()
				cancel()
				mu.Lock()
				all = append(all, q)
				mu.Unlock()
			}
		})
	}
	return func() []question {
		over()
		return all
	}
}

// say makes an RPC, and returns who answered.
func say(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	_, trailer, err := echo.Say(ctx, conn, []byte("hello"))
	return strings.Join(trailer.Get(echo.HostTrailer), ","), err
}

// converse sends many messages on one stream, each when the one before has come back.
func converse(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	chat, err := echo.Chat(ctx, conn)
	if err != nil {
		return "", err
	}
	for i := range 100 {
		message := strconv.Itoa(i)
		if err := chat.Send([]byte(message)); err != nil && !errors.Is(err, io.EOF) { // then Receive tells
			return "", err
		}
		switch got, err := chat.Receive(); {
		case err != nil:
			return "", fmt.Errorf("message %d: %w", i, err)
		case string(got) != message:
			return "", fmt.Errorf("message %d comes back as %q", i, got)
		}
	}
	if err := chat.CloseSend(); err != nil {
		return "", err
	}
	if _, err := chat.Receive(); !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("after the last message: %w", err)
	}
	return strings.Join(chat.Trailer().Get(echo.HostTrailer), ","), nil
}
