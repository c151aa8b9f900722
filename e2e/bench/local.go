package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/devtun/devtun/e2e/testserver/server"
)

// localName is what the local process answers with: this machine's name.
var localName, _ = os.Hostname()

// local is the process on this machine that an intercept leads to. It does on
// each of the pod's ports what the pod does there.
type local struct {
	addresses map[int]string // where it listens, by the pod's port
	stop      context.CancelFunc
	serving   sync.WaitGroup
}

// serveLocal starts it, on ports that the kernel chooses. The caller closes it
// once no connections lead to it any longer.
func serveLocal() (*local, error) {
	listeners, err := server.Listen(func(int) string { return "127.0.0.1:0" })
	if err != nil {
		return nil, fmt.Errorf("start local process: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &local{addresses: map[int]string{}, stop: stop}
	for _, port := range ports {
		l.addresses[port] = listeners[port].Addr().String()
	}
	l.serving.Go(func() { _ = server.Serve(ctx, listeners) }) // what fails is seen at the other end
	return l, nil
}

// close ends it, and waits for its connections to end.
func (l *local) close() {
	l.stop()
	l.serving.Wait()
}
