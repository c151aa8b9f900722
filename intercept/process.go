package intercept

import (
	"context"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

// Process is the local process behind a port of the agent's, as a destination of requests
// that begin on this machine. They are none of the intercept's own: it neither counts
// them nor waits for them.
type Process struct{ local *local }

// Process is the one behind one of Config.Local's ports.
func (i *Intercept) Process(port int) (p Process, intercepted bool) {
	l := i.local(port)
	return Process{l}, l != nil
}

// Listens reports whether it does, as far as is known while Run runs.
func (p Process) Listens() bool { return p.local.isOpen() }

// Dial connects to the process. That it fails is noted as when a request of the cluster
// finds nobody.
func (p Process) Dial(ctx context.Context) (proxy.Upstream, error) {
	conn, err := p.local.connect(ctx)
	if err != nil {
		if ctx.Err() == nil {
			p.local.refused(err)
		}
		return nil, err
	}
	return processConn{duplex.TCP{TCPConn: conn}}, nil
}

// processConn is a connection that the process has taken.
type processConn struct{ duplex.TCP }

func (processConn) Taken() <-chan struct{} { return nil }
