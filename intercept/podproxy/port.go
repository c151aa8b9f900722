package podproxy

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/pause"
)

const (
	// admitTimeout bounds the time from the connection to the end of its handshake.
	admitTimeout = 5 * time.Second

	// maxRequest and maxHandshake, in bytes, bound what is read meanwhile.
	maxRequest   = 8 << 10
	maxHandshake = 16 << 10

	// maxPending is how many may be about it at a time.
	maxPending = 64

	// acceptPause is how long accepting rests after it failed: too many open files,
	// most likely.
	acceptPause = 100 * time.Millisecond

	// welcome is the first byte on a connection: the session's key was the right one.
	welcome = 0x06
)

// Adder is a link, as far as it takes connections.
type Adder interface {
	// Add takes a connection, which is its own from here on, even if it fails.
	Add(wire.Transport) error
}

// Port is the agent's port on the pod network. Make it with NewPort.
type Port struct {
	number  int
	log     *slog.Logger
	pending pending
	timeout time.Duration // admitTimeout, for tests to shorten

	mu     sync.Mutex
	agreed map[string]agreement // by server name
}

// agreement is what an agent has agreed on with one link's session.
type agreement struct {
	own     identity
	session ed25519.PublicKey
	link    Adder
}

// offer is how the agent answers a session's key, as JSON.
type offer struct {
	Key  []byte `json:"key"`  // the agent's
	Port int    `json:"port"` // on the pod network
}

// NewPort is of a port's number.
func NewPort(number int, log *slog.Logger) *Port {
	return &Port{
		number: number, log: log, pending: pending{most: maxPending}, timeout: admitTimeout,
		agreed: make(map[string]agreement),
	}
}

// Agree answers a stream of kind wire.KindProxy: from then on, and until the stream ends or
// ctx does, who has that key may add connections to link.
func (p *Port) Agree(ctx context.Context, link Adder, key []byte, stream *wire.Stream) {
	session, err := asKey(key)
	if err != nil {
		stream.Refuse(err.Error())
		return
	}
	own, err := newIdentity()
	if err != nil {
		stream.Refuse(err.Error())
		return
	}
	name := serverName(session)
	if !p.note(name, agreement{own, session, link}) {
		stream.Refuse("the key is in use")
		return
	}
	defer p.forget(name)
	if json.NewEncoder(stream).Encode(offer{own.public, p.number}) == nil {
		stream.AwaitEnd(ctx)
	}
}

func (p *Port) note(name string, a agreement) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, taken := p.agreed[name]; taken {
		return false
	}
	p.agreed[name] = a
	return true
}

func (p *Port) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.agreed, name)
}

// Serve answers at listener until ctx ends, and returns once no handshake is under way.
func (p *Port) Serve(ctx context.Context, listener net.Listener) {
	var serving sync.WaitGroup
	defer serving.Wait()
	defer listener.Close()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	for {
		conn, err := listener.Accept()
		if err != nil {
			if pause.Sleep(ctx, acceptPause) != nil {
				return
			}
			continue
		}
		p.pending.enter(conn)
		serving.Go(func() {
			if err := p.admit(ctx, conn); err != nil {
				p.log.Debug("connection to the link's port refused", "error", err)
			}
		})
	}
}

// admit adds a connection to the link of the session that has dialled it, or closes it.
func (p *Port) admit(ctx context.Context, conn net.Conn) error {
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	secured, link, err := p.greet(ctx, conn)
	if !p.pending.leave(conn) && err == nil {
		err = errCrowd
	}
	if err == nil {
		_, err = secured.Write([]byte{welcome})
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close()
		return err
	}
	return link.Add(secured)
}

// errCrowd means that a connection was closed to make room for another.
var errCrowd = errors.New("others have come meanwhile")

// greet has a connection say which session it is of, and prove it.
func (p *Port) greet(ctx context.Context, raw net.Conn) (*secured, Adder, error) {
	if err := raw.SetDeadline(time.Now().Add(p.timeout)); err != nil {
		return nil, nil, err
	}
	conn := newBounded(raw)
	conn.left = maxRequest
	if err := upgrade(conn); err != nil {
		return nil, nil, err
	}
	conn.left = maxHandshake
	var of agreement
	under := &batched{Conn: conn}
	server := tls.Server(under, &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			var known bool
			if of, known = p.find(hello.ServerName); !known {
				return nil, errKey
			}
			return of.own.config(of.session), nil
		},
	})
	if err := server.HandshakeContext(ctx); err != nil {
		return nil, nil, fmt.Errorf("shake hands: %w", err)
	}
	conn.left = -1
	return &secured{tls: server, conn: under, end: func() {}}, of.link, nil
}

func (p *Port) find(name string) (of agreement, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of, known = p.agreed[name]
	return of, known
}
