package conformance

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/devtun/devtun/tunnel/proxy"
)

// interopServer is grpc-go's server of the interop suite.
func interopServer(t *testing.T) server {
	t.Helper()
	listener := listen(t)
	s := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(s, interop.NewTestServer())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(listener) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return address(listener)
}

// TestGRPCInterop is grpc-go's interop suite, whose client ends the process where it is
// not content, with half of the methods on a second server.
func TestGRPCInterop(t *testing.T) {
	one, other := interopServer(t), interopServer(t)
	for name, to := range map[string]route{
		"one server": func(*proxy.Request) proxy.Destination { return one },
		"two servers": func(r *proxy.Request) proxy.Destination {
			if strings.HasSuffix(r.Target, "UnaryCall") || strings.HasSuffix(r.Target, "FullDuplexCall") {
				return other
			}
			return one
		},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := grpc.NewClient(carried(t, to), grpc.WithTransportCredentials(insecure.NewCredentials()))
			require.NoError(t, err)
			t.Cleanup(func() { conn.Close() })
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			client := testgrpc.NewTestServiceClient(conn)
			for _, test := range []func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption){
				interop.DoEmptyUnaryCall, interop.DoLargeUnaryCall, interop.DoClientStreaming,
				interop.DoServerStreaming, interop.DoPingPong, interop.DoEmptyStream,
				interop.DoTimeoutOnSleepingServer, interop.DoCancelAfterBegin, interop.DoCancelAfterFirstResponse,
				interop.DoCustomMetadata, interop.DoStatusCodeAndMessage, interop.DoSpecialStatusMessage,
			} {
				test(ctx, client)
			}
			interop.DoUnimplementedMethod(ctx, conn)
			interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(conn))
		})
	}
}
