package server

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/devtun/devtun/e2e/testserver/echo"
)

func serveGRPC(ctx context.Context, listener net.Listener) error {
	server := grpc.NewServer()
	echo.Register(server, hostname())
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())

	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		late := time.AfterFunc(ShutdownTimeout, server.Stop)
		defer late.Stop()
		server.GracefulStop()
	})
	err := server.Serve(listener) // nil after GracefulStop
	if !stop() {
		<-stopped
	}
	return err
}
