package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/devtun/devtun/e2e/conformance"
)

// interopCases are those of gRPC's interop suite that are about the protocol, by the
// names it has for them.
var interopCases = map[string]func(ctx context.Context, conn *grpc.ClientConn){
	"empty_unary":                 onTheService(interop.DoEmptyUnaryCall),
	"large_unary":                 onTheService(interop.DoLargeUnaryCall),
	"client_streaming":            onTheService(interop.DoClientStreaming),
	"server_streaming":            onTheService(interop.DoServerStreaming),
	"ping_pong":                   onTheService(interop.DoPingPong),
	"empty_stream":                onTheService(interop.DoEmptyStream),
	"timeout_on_sleeping_server":  onTheService(interop.DoTimeoutOnSleepingServer),
	"cancel_after_begin":          onTheService(interop.DoCancelAfterBegin),
	"cancel_after_first_response": onTheService(interop.DoCancelAfterFirstResponse),
	"custom_metadata":             onTheService(interop.DoCustomMetadata),
	"status_code_and_message":     onTheService(interop.DoStatusCodeAndMessage),
	"special_status_message":      onTheService(interop.DoSpecialStatusMessage),
	"unimplemented_service": func(ctx context.Context, conn *grpc.ClientConn) {
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(conn))
	},
	"unimplemented_method": interop.DoUnimplementedMethod,
}

func onTheService(
	do func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption),
) func(context.Context, *grpc.ClientConn) {
	return func(ctx context.Context, conn *grpc.ClientConn) { do(ctx, testgrpc.NewTestServiceClient(conn)) }
}

// interopLog fails a test where the suite would end the process.
type interopLog struct {
	grpclog.LoggerV2
	t *testing.T // that runs
}

func (l *interopLog) Fatalln(args ...any) { l.t.Fatal(fmt.Sprintln(args...)) }

// runInterop runs the suite on a connection.
func runInterop(t *testing.T, conn *grpc.ClientConn) {
	quiet := grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr)
	log := &interopLog{LoggerV2: quiet}
	grpclog.SetLoggerV2(log)
	defer grpclog.SetLoggerV2(quiet)
	for name, run := range interopCases {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			log.t = t
			run(ctx, conn)
		})
	}
}

// marked has all RPCs of a client be the developer's.
var marked = []grpc.DialOption{
	grpc.WithUnaryInterceptor(func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn,
		next grpc.UnaryInvoker, options ...grpc.CallOption) error {
		return next(withKey(ctx), method, request, reply, conn, options...)
	}),
	grpc.WithStreamInterceptor(func(ctx context.Context, about *grpc.StreamDesc, conn *grpc.ClientConn, method string,
		next grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
		return next(withKey(ctx), about, conn, method, options...)
	}),
}

// TestConformanceThroughAnIntercept runs gRPC's interop suite through an agent, whose
// origin and whose developer both serve it.
func TestConformanceThroughAnIntercept(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	local := newRPCServer(t)
	d := n.intercepts(kubeconfig(), "web", localRule, local.flag())
	others, developers := n.reachRPC(), n.reachRPC(marked...)
	t.Run("nobody listens here", func(t *testing.T) { runInterop(t, developers) })
	require.Zero(t, local.calls.Load())

	local.start()
	d.await("traffic to the developer", time.Minute,
		func(e event) bool { return e.Type == "traffic" && e.Port == rpcPort && e.To == "developer" })
	t.Run("to the origin", func(t *testing.T) { runInterop(t, others) })
	require.Zero(t, local.calls.Load())
	t.Run("to the local process", func(t *testing.T) { runInterop(t, developers) })
	require.GreaterOrEqual(t, local.calls.Load(), int64(len(interopCases)-3),
		"all but those of methods that are not there, and one that need not arrive")
	d.stop()
}

// h2specThroughAnIntercept: an agent that carries HTTP/2 to the origin is to h2spec what
// the origin is, with a rule or without.
func h2specThroughAnIntercept(t *testing.T, rule ...string) {
	n := newNamespace(t).testserver("web", 1)
	straight := net.JoinHostPort(n.pods("web")[0].Status.PodIP, strconv.Itoa(webPort))
	want := conformance.H2spec(t, straight)
	_, _, at := n.interceptWeb(rule...)
	conformance.RequireSame(t, straight, at(80), want, conformance.H2spec(t, at(80)))
}
