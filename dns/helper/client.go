package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
)

// askTimeout bounds one request: the helper may wait for the hosts file for as
// long as dns does, twice.
const askTimeout = 30 * time.Second

// ErrGone means that the helper has ended, or fell silent and was given up.
var ErrGone = errors.New("the helper is gone")

// Client has the helper do a dns.Machine's work. It is safe for concurrent use;
// requests are made one at a time.
type Client struct {
	mu   sync.Mutex
	conn *net.UnixConn
	wait func() // for the helper's end, bounded; nil if it is nobody's here
	gone bool
}

var _ dns.Machine = (*Client)(nil)

// NewClient speaks to a helper over conn, and owns it.
func NewClient(conn *net.UnixConn) *Client { return &Client{conn: conn} }

// SetNames implements dns.Machine.
func (c *Client) SetNames(ctx context.Context, entries []hostsfile.Entry) (hostsfile.Report, error) {
	reply, _, err := c.ask(ctx, request{Do: setNames, Entries: entries})
	return reply.Report, err
}

// Listen implements dns.Machine.
func (c *Client) Listen(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	socket, err := c.askSocket(ctx, request{Do: listen, Listen: addr})
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	return net.FileListener(socket)
}

// ListenPacket implements dns.Machine.
func (c *Client) ListenPacket(ctx context.Context, addr netip.AddrPort) (net.PacketConn, error) {
	socket, err := c.askSocket(ctx, request{Do: listenPacket, Listen: addr})
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	return net.FilePacketConn(socket)
}

// askSocket makes a request whose answer hands over a socket. Errors are *dns.ListenError.
func (c *Client) askSocket(ctx context.Context, r request) (*os.File, error) {
	_, socket, err := c.ask(ctx, r)
	if err == nil && socket == nil {
		err = errors.New("the helper sent no socket")
	}
	if err == nil {
		return socket, nil
	}
	if socket != nil {
		socket.Close()
	}
	var refused *dns.ListenError
	if !errors.As(err, &refused) {
		err = &dns.ListenError{Addr: r.Listen, Err: err}
	}
	return nil, err
}

// AddAddress implements dns.Machine.
func (c *Client) AddAddress(ctx context.Context, addr netip.Addr) error {
	_, _, err := c.ask(ctx, request{Do: addAddress, Addr: addr})
	return err
}

// RemoveAddress implements dns.Machine.
func (c *Client) RemoveAddress(ctx context.Context, addr netip.Addr) error {
	_, _, err := c.ask(ctx, request{Do: removeAddress, Addr: addr})
	return err
}

// Close lets the helper clean up and end, and waits for that.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.conn.Close()
	if c.gone {
		err = nil // it was closed before
	}
	c.gone = true
	if c.wait != nil {
		c.wait()
	}
	return err
}

// ask makes one request and returns its answer, with the socket in it if there
// is one. The end of ctx keeps a request from being made, but does not interrupt
// one: half a conversation could not be gone on with, and it takes milliseconds.
func (c *Client) ask(ctx context.Context, r request) (answer, *os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return answer{}, nil, err
	}
	if c.gone {
		return answer{}, nil, ErrGone
	}
	message, err := json.Marshal(r)
	if err != nil {
		return answer{}, nil, err
	}
	frame, err := newFrame(message)
	if err != nil {
		return answer{}, nil, err
	}
	reply, socket, err := c.exchange(frame)
	if err != nil {
		c.gone = true
		c.conn.Close()
		return answer{}, nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	if reply.Error != nil {
		return reply, socket, reply.Error.err()
	}
	return reply, socket, nil
}

func (c *Client) exchange(frame []byte) (reply answer, socket *os.File, err error) {
	c.conn.SetDeadline(time.Now().Add(askTimeout))
	if _, err := c.conn.Write(frame); err != nil {
		return answer{}, nil, err
	}
	header, socket, err := receiveHeader(c.conn)
	if err != nil {
		return answer{}, nil, err
	}
	message, err := readFrame(c.conn, header)
	if err == nil {
		err = parse(message, &reply)
	}
	if err != nil && socket != nil {
		socket.Close()
		socket = nil
	}
	return reply, socket, err
}
