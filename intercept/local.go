package intercept

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/devtun/devtun/tunnel/duplex"
)

// Local says where the local process listens for a port of the agent's.
type Local struct {
	Port int // the agent's
	// Address is host:port. Without a host, or with "localhost", it is this
	// machine's loopback, of IPv4 or else of IPv6.
	Address string
	// Services are the names of those that lead to the port.
	Services []string
}

// Shown is a local address for people: without a host it is this machine's.
func Shown(address string) string {
	if port, here := strings.CutPrefix(address, ":"); here {
		return "localhost:" + port
	}
	return address
}

// dialTimeout bounds a dial of the local process. The agent waits a little
// longer, and then gives the connection to the origin.
const dialTimeout = time.Second

// local is a Local, and whether a process listens there.
type local struct {
	Local
	targets []string         // host:port, to be dialled in turn
	at      []netip.AddrPort // the targets, if all are this machine's; else nil

	mu       sync.Mutex
	open     bool
	inodes   []uint64      // of the listening sockets, as last seen; nil if none was
	refusing []uint64      // those that refused nevertheless
	probed   time.Time     // when it was last tried by connecting
	look     chan struct{} // holds a token when a dial was refused
}

func newLocal(l Local) (*local, error) {
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		return nil, fmt.Errorf("read local address: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return nil, fmt.Errorf("read local address: %q is not a port", port)
	}
	watched := &local{Local: l, look: make(chan struct{}, 1)}
	addr, err := netip.ParseAddr(host)
	switch {
	case host == "" || host == "localhost" || err == nil && addr.IsUnspecified():
		v4, v6 := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
		watched.at = []netip.AddrPort{netip.AddrPortFrom(v4, uint16(number)), netip.AddrPortFrom(v6, uint16(number))}
	case err == nil && ofThisMachine(addr):
		watched.at = []netip.AddrPort{netip.AddrPortFrom(addr.Unmap(), uint16(number))}
	default:
		watched.targets = []string{l.Address}
	}
	for _, at := range watched.at {
		watched.targets = append(watched.targets, at.String())
	}
	return watched, nil
}

// ofThisMachine reports that an address is one of this machine's.
func ofThisMachine(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return true
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, one := range all {
		if prefix, err := netip.ParsePrefix(one.String()); err == nil && prefix.Addr() == addr.Unmap() {
			return true
		}
	}
	return false
}

// refusedError is what a dial of the local process fails with.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// connect dials the local process.
func (l *local) connect(ctx context.Context) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var dialer net.Dialer
	var first error
	for _, target := range l.targets {
		conn, err := dialer.DialContext(ctx, "tcp", target)
		if err == nil {
			return conn.(*net.TCPConn), nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// dial connects to the local process that stands for the agent's port.
func (i *Intercept) dial(ctx context.Context, port int) (net.Conn, error) {
	conn, err := i.connect(ctx, port)
	if err != nil {
		i.count.refused()
		return nil, err
	}
	i.count.taken()
	return countedConn{duplex.TCP{TCPConn: conn}, sync.OnceFunc(i.count.left)}, nil
}

// connect is dial without counting. The error is a *refusedError.
func (i *Intercept) connect(ctx context.Context, port int) (*net.TCPConn, error) {
	l := i.local(port)
	if l == nil {
		return nil, &refusedError{fmt.Errorf("port %d is not intercepted", port)}
	}
	conn, err := l.connect(ctx)
	if err != nil {
		if ctx.Err() == nil {
			l.refused(err)
		}
		return nil, &refusedError{err}
	}
	return conn, nil
}

// countedConn is a connection to the local process, counted until it is closed.
type countedConn struct {
	duplex.TCP
	left func()
}

func (t countedConn) Close() error {
	err := t.TCP.Close()
	t.left()
	return err
}

// refused notes that the local process did not take a connection. Where
// listening sockets can be seen, anything but a refusal may be a busy process.
func (l *local) refused(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.inodes) > 0 && !errors.Is(err, syscall.ECONNREFUSED) {
		return
	}
	l.open, l.refusing, l.probed = false, l.inodes, time.Now()
	wake(l.look)
}

func (l *local) isOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// Listening is those of Config.Local where a process listens now.
func (i *Intercept) Listening(ctx context.Context) (open []Local) {
	for _, l := range i.locals {
		if l.check(ctx) {
			open = append(open, l.Local)
		}
	}
	return open
}
