package podproxy

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/pause"
)

const (
	// attemptTimeout bounds an attempt to connect, from the request to the agent's welcome:
	// where a policy drops what the API server sends, nothing is ever heard.
	attemptTimeout = 10 * time.Second

	// maxOffer bounds, in bytes, what the agent says of its key and port.
	maxOffer = 4 << 10

	// againMin and againMax bound the pause before a connection that was lost is made again.
	againMin = 200 * time.Millisecond
	againMax = 30 * time.Second

	// steady is how long a connection stands that is no longer taken for one that is lost
	// again and again.
	steady = 10 * time.Second

	// mostConns is more than a link takes.
	mostConns = 16
)

// Link is the session's end of a link; a *wire.Link.
type Link interface {
	Adder
	// Wants holds a token when the link would take another connection.
	Wants() <-chan struct{}
	Open(context.Context, wire.Opening) (*wire.Stream, error)
}

// Dial asks for an upgrade to Protocol at a port of the agent's pod, through the API server's
// pod proxy, and returns the connection that it becomes.
type Dial func(ctx context.Context, port int) (io.ReadWriteCloser, error)

// Keep has a link go by the pod proxy until ctx ends, and returns at once if it cannot: the
// link stays as it is then. A connection that is lost is made again. Told is called with nil
// when the link goes by the pod proxy, and with the reason when it does not, or not any more.
func Keep(ctx context.Context, link Link, dial Dial, told func(error)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k := &keeper{link: link, dial: dial, told: told, ended: make(chan struct{}, mostConns)}
	stream, err := k.agree(ctx)
	if err != nil {
		if ctx.Err() == nil {
			told(err)
		}
		return
	}
	defer stream.Close()
	k.keep(ctx, stream.Broken())
}

// keeper is one Keep.
type keeper struct {
	link  Link
	dial  Dial
	told  func(error)
	own   identity
	agent ed25519.PublicKey
	port  int
	ended chan struct{} // holds a token for each connection that has ended
	conns int           // that stand
}

// agree exchanges keys with the agent, on a stream that lasts as long as they are to count.
func (k *keeper) agree(ctx context.Context) (_ *wire.Stream, err error) {
	if k.own, err = newIdentity(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, attemptTimeout, errNoAnswer)
	defer cancel()
	stream, err := k.link.Open(ctx, wire.Opening{Kind: wire.KindProxy, Key: k.own.public})
	if err != nil {
		return nil, fmt.Errorf("ask agent: %w", err)
	}
	stop := context.AfterFunc(ctx, stream.Abort)
	var got offer
	err = json.NewDecoder(io.LimitReader(stream, maxOffer)).Decode(&got)
	if err == nil {
		k.port = got.Port
		k.agent, err = asKey(got.Key)
	}
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		stream.Close()
		return nil, fmt.Errorf("ask agent: %w", err)
	}
	return stream, nil
}

// errNoAnswer is why an attempt is given up.
var errNoAnswer = fmt.Errorf("no answer within %v", attemptTimeout)

// keep makes the connections that the link is to have, until ctx ends, over is closed or the
// first cannot be had.
func (k *keeper) keep(ctx context.Context, over <-chan struct{}) {
	backoff := pause.Backoff{Min: againMin, Max: againMax}
	stands, ever := false, false
	for {
		err := k.add(ctx)
		began := time.Now()
		switch {
		case errors.Is(err, errOver) || ctx.Err() != nil:
			return
		case err == nil:
			if !stands {
				k.told(nil)
			}
			stands, ever = true, true
		case k.conns == 0: // else this one was to help others
			if stands || !ever {
				k.told(err)
			}
			if stands = false; !ever {
				return
			}
		}
		if err != nil && pause.Until(ctx, over, backoff.Next()) != nil || !k.await(ctx, over) {
			return
		}
		switch {
		case err != nil:
		case time.Since(began) > steady:
			backoff.Reset()
		case pause.Until(ctx, over, backoff.Next()) != nil:
			return
		}
	}
}

// await waits until the link is to have another connection. It reports false if it never is.
func (k *keeper) await(ctx context.Context, over <-chan struct{}) bool {
	for k.conns > 0 {
		select {
		case <-k.ended:
			k.conns--
		case <-k.link.Wants():
			return true
		case <-over:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return !closed(over)
}

func closed(over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	default:
		return false
	}
}
