// Package server is what command testserver serves: a service a port, each with a
// habit of servers that a tunnel has to survive; or a pipe to one that does. The
// command's doc lists them.
package server

import (
	"context"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
)

// ShutdownTimeout is what requests and connections under way have left once the
// listeners are closed.
const ShutdownTimeout = 5 * time.Second

// service serves connections of a listener, which it closes, until ctx ends
// and what is under way has ended or ShutdownTimeout has passed.
type service func(ctx context.Context, listener net.Listener) error

// services by port.
var services = map[int]service{
	8080: serveHTTP,
	9000: serveGRPC,
	7000: tcp(echoAll),
	7001: tcp(speakFirst),
	7002: tcp(reset),
	7003: tcp(answerLate),
	7004: tcp(send),
	7005: tcp(receive),
	7006: tcp(receiveCounted),
	7007: tcp(carryAsked),
}

// Listen listens on every port of the services, at the address that addr gives for
// it, and returns the listeners by port.
func Listen(addr func(port int) string) (map[int]net.Listener, error) {
	listeners := map[int]net.Listener{}
	for port := range services {
		listener, err := net.Listen("tcp", addr(port))
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, fmt.Errorf("listen on port %d: %w", port, err)
		}
		listeners[port] = listener
	}
	return listeners, nil
}

// Serve runs all services until ctx ends; the failure of one ends all.
func Serve(ctx context.Context, listeners map[int]net.Listener) error {
	return each(ctx, listeners, func(ctx context.Context, port int, listener net.Listener) error {
		return services[port](ctx, listener)
	})
}

// each serves what there is of each port, until ctx ends or one fails.
func each[T any](ctx context.Context, ports map[int]T, serve func(context.Context, int, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for port, one := range ports {
		group.Go(func() error {
			if err := serve(ctx, port, one); err != nil {
				return fmt.Errorf("serve port %d: %w", port, err)
			}
			return nil
		})
	}
	return group.Wait()
}
