package main

import (
	"context"
	"fmt"
	"net"

	"golang.org/x/sync/errgroup"
)

// service serves connections of a listener, which it closes, until ctx ends
// and what is under way has ended or shutdownTimeout has passed.
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
}

// serve runs all services until ctx ends; the failure of one ends all.
func serve(ctx context.Context, listeners map[int]net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	for port, listener := range listeners {
		group.Go(func() error {
			if err := services[port](ctx, listener); err != nil {
				return fmt.Errorf("serve port %d: %w", port, err)
			}
			return nil
		})
	}
	return group.Wait()
}
