package server

import (
	"context"
	"net"
	"sync"
	"time"
)

// handler speaks on one connection, which is closed when it returns. It need
// not look at ctx unless it waits for something other than the connection.
type handler func(ctx context.Context, conn *net.TCPConn)

// tcp makes a service of a handler.
func tcp(handle handler) service {
	return func(ctx context.Context, listener net.Listener) error {
		s := &tcpServer{handle: handle, conns: map[*net.TCPConn]struct{}{}}
		return s.serve(ctx, listener)
	}
}

type tcpServer struct {
	handle  handler
	running sync.WaitGroup

	mu    sync.Mutex
	conns map[*net.TCPConn]struct{}
}

func (s *tcpServer) serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	// Connections live on for a while after ctx.
	connCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			s.shutdown(cancel)
			return nil
		}
		if err != nil {
			listener.Close()
			return err
		}
		s.start(connCtx, conn.(*net.TCPConn))
	}
}

func (s *tcpServer) start(ctx context.Context, conn *net.TCPConn) {
	s.mu.Lock()
	s.conns[conn] = struct{}{}
	s.mu.Unlock()
	s.running.Go(func() {
		s.handle(ctx, conn)
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	})
}

// shutdown waits for the handlers and, after ShutdownTimeout, ends them.
func (s *tcpServer) shutdown(cancel context.CancelFunc) {
	late := time.AfterFunc(ShutdownTimeout, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		for conn := range s.conns {
			conn.Close()
		}
	})
	defer late.Stop()
	s.running.Wait()
}
