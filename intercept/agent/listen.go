package agent

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/internal/stack"
)

// listen opens all listeners, the links' last: who reaches that finds the
// others open. It returns what serves them.
func (a *Agent) listen(ctx context.Context) ([]func(context.Context), error) {
	var serve []func(context.Context)
	var opened []interface{ Close() error }
	fail := func(err error) ([]func(context.Context), error) {
		for _, o := range opened {
			_ = o.Close()
		}
		return nil, fmt.Errorf("listen: %w", err)
	}
	for _, port := range a.Config.Ports {
		address := net.JoinHostPort("", strconv.Itoa(port.Port))
		if port.Protocol == UDP {
			conn, err := a.ListenPacket(ctx, "udp", address)
			if err != nil {
				return fail(err)
			}
			opened = append(opened, conn)
			serve = append(serve, func(ctx context.Context) { a.passDatagrams(ctx, port, conn) })
			continue
		}
		listener, err := a.Listen(ctx, "tcp", address)
		if err != nil {
			return fail(err)
		}
		opened = append(opened, listener)
		serve = append(serve, func(ctx context.Context) {
			accept(ctx, listener, func(conn *net.TCPConn) { a.serve(ctx, port, conn) })
		})
	}
	if a.Config.Mode != plan.HandOver {
		ready, err := a.Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(a.Config.ReadyPort)))
		if err != nil {
			return fail(err)
		}
		opened = append(opened, ready)
		serve = append(serve, func(ctx context.Context) { a.serveReady(ctx, ready) })
	}
	if a.Config.ProxyPort != 0 {
		proxied, err := a.Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(a.Config.ProxyPort)))
		if err != nil {
			return fail(err)
		}
		opened = append(opened, proxied)
		serve = append(serve, func(ctx context.Context) { a.proxy.Serve(ctx, proxied) })
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Config.LinkPort))
	links, err := a.Listen(ctx, "tcp", address)
	if err != nil {
		return fail(err)
	}
	return append(serve, func(ctx context.Context) {
		accept(ctx, links, func(conn *net.TCPConn) { a.serveLink(ctx, conn) })
	}), nil
}

// acceptPause is how long accepting rests after it failed: too many open files,
// most likely.
const acceptPause = 100 * time.Millisecond

// accept serves each connection in a goroutine of its own until ctx ends; it
// returns when all have ended, with the listener closed.
func accept(ctx context.Context, listener net.Listener, serve func(*net.TCPConn)) {
	var serving sync.WaitGroup
	defer serving.Wait()
	defer listener.Close()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			serving.Go(func() { stack.Grow(); serve(conn.(*net.TCPConn)) })
		case pause.Sleep(ctx, acceptPause) != nil:
			return
		}
	}
}
