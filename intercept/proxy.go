package intercept

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/devtun/devtun/intercept/podproxy"
	"github.com/devtun/devtun/intercept/wire"
)

// NoProxyError means that links are to go by the pod proxy alone, and cannot.
type NoProxyError struct{ Err error }

func (e *NoProxyError) Error() string {
	return fmt.Sprintf("the link cannot go through the API server's pod proxy: %v", e.Err)
}

func (e *NoProxyError) Unwrap() error { return e.Err }

// errNoPort: who made the intercept did not know of it.
var errNoPort = errors.New("the agent has no port for it: an older devtun has made it")

// goByProxy has link go by the pod proxy, if that is wanted, until stop is called, which waits
// for what is under way. Nothing waits for it to come about. Where it is the only way, fail is
// called if it cannot be had.
func (l *agentLink) goByProxy(ctx context.Context, link *wire.Link, fail func(error)) (stop func()) {
	c := l.of.config
	if c.Proxy == nil {
		return func() {}
	}
	if l.of.agent.proxyPort == 0 {
		l.byProxy(link, errNoPort, fail)
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		podproxy.Keep(ctx, link, func(ctx context.Context, port int) (io.ReadWriteCloser, error) {
			return c.Proxy(ctx, l.pod, port)
		}, func(err error) { l.byProxy(link, err, fail) })
	})
	return func() {
		cancel()
		keeping.Wait()
	}
}

// byProxy notes that link goes by the pod proxy, or with an error why it does not.
func (l *agentLink) byProxy(link *wire.Link, err error, fail func(error)) {
	var ever bool
	l.of.change(func() {
		ever = l.of.proxied
		l.of.proxied = ever || err == nil
		l.way, l.whyNot = ByProxy, ""
		if err != nil {
			l.way, l.whyNot = ByPortForward, err.Error()
		}
		if link.Present() {
			l.of.tell(l.event(Connected))
		}
	})
	switch {
	case err == nil || !l.of.config.OnlyProxy:
	case ever:
		fail(fmt.Errorf("lost: %w", err)) // it is made anew
	default:
		fail(&NoProxyError{err})
	}
}
