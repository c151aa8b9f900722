package relay

import (
	"context"
	"fmt"
	"io"

	datagrams "github.com/devtun/devtun/intercept/relay"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// DialPacket is Dial for datagrams, which only a relay carries: each Read and each Write is of
// one. Write fails once the relay has fallen silent while another one is heard: who began the
// flow begins it anew, by that one.
func (r *Relays) DialPacket(ctx context.Context, to tunnel.Endpoint) (io.ReadWriteCloser, error) {
	if to.Host == "" {
		return nil, fmt.Errorf("dial %s: its address is not known", to)
	}
	by := r.in(to.Pod.Namespace)
	stream, err := by.open(ctx, openingTo("udp", to))
	conn, err := by.conn(stream, to, nil, err)
	if err != nil {
		return nil, err
	}
	return &packets{Datagrams: datagrams.NewDatagrams(conn), stream: stream, linked: by.linked}, nil
}

// packets is a flow of datagrams through a relay.
type packets struct {
	*datagrams.Datagrams
	stream *wire.Stream
	linked func() bool // a relay is heard
}

// Write sends one datagram, as Datagrams do. Unlike a connection, whose bytes must all arrive and
// for which a silent link is waited for, a flow loses nothing by going elsewhere but the sender's
// port, as the endpoint sees it.
func (p *packets) Write(datagram []byte) (int, error) {
	if p.stream.Silence() >= silentTimeout && p.linked() {
		return 0, errSilent
	}
	return p.Datagrams.Write(datagram)
}
