package helper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
)

// Start starts a helper and connects to it. ask allows a question to the user.
type Start func(ctx context.Context, ask bool) (*Client, error)

// Machine is the dns.Machine of a session: it does itself what this process may
// do, and has a helper do the rest. The helper is started at the first need; so
// none is where neither the hosts file nor a port asks for it.
type Machine struct {
	hosts  *hostsfile.File
	direct dns.Direct // with the rights of this process
	start  Start
	system bool // the hosts file is the system's, the only one that a helper writes

	// The direct machine's.
	listen       func(context.Context, netip.AddrPort) (net.Listener, error)
	listenPacket func(context.Context, netip.AddrPort) (net.PacketConn, error)

	mu      sync.Mutex
	client  *Client
	started bool
	refused error // why there is no helper, once that was tried
}

var _ dns.Machine = (*Machine)(nil)

// NewMachine returns a Machine of direct, whose hosts file is the system's if
// system says so. A nil start means that there is no helper to be had.
func NewMachine(direct dns.Direct, system bool, start Start) *Machine {
	return &Machine{
		hosts: direct.Hosts, direct: direct, start: start, system: system,
		listen: direct.Listen, listenPacket: direct.ListenPacket,
	}
}

// Prepare makes sure that names can be written, with a helper if it must be, so
// that a user is asked for a password at the beginning. A hosts file of the user's
// own is made if it is not there.
func (m *Machine) Prepare(ctx context.Context) error {
	if !m.system {
		if err := m.hosts.Create(); err != nil {
			return err
		}
	}
	err := m.hosts.Writable()
	if err != nil && m.helps(err) {
		_, err = m.helper(ctx, err)
		return err
	}
	if err == nil && os.Geteuid() == 0 {
		err = m.CleanAddresses(ctx)
	}
	return err
}

// helps reports that err is one against which a helper helps. A file system that
// is read-only is so for root too.
func (m *Machine) helps(err error) bool {
	return m.system && errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS)
}

// SetNames implements dns.Machine.
func (m *Machine) SetNames(ctx context.Context, entries []hostsfile.Entry) (hostsfile.Report, error) {
	err := m.hosts.Writable()
	if !errors.Is(err, fs.ErrPermission) {
		return m.direct.SetNames(ctx, entries)
	}
	if !m.helps(err) {
		return hostsfile.Report{}, fmt.Errorf("set names: %w", err)
	}
	return m.hosts.Delegate(entries, func() (report hostsfile.Report, _ error) {
		err := m.delegate(ctx, err, func(c *Client) (err error) {
			report, err = c.SetNames(ctx, entries)
			return err
		})
		return report, err
	})
}

// Listen implements dns.Machine.
func (m *Machine) Listen(ctx context.Context, addr netip.AddrPort) (listener net.Listener, err error) {
	listener, denied := m.listen(ctx, addr)
	err = m.delegateSocket(ctx, denied, func(c *Client) (err error) {
		listener, err = c.Listen(ctx, addr)
		return err
	})
	return listener, err
}

// ListenPacket implements dns.Machine.
func (m *Machine) ListenPacket(ctx context.Context, addr netip.AddrPort) (conn net.PacketConn, err error) {
	conn, denied := m.listenPacket(ctx, addr)
	err = m.delegateSocket(ctx, denied, func(c *Client) (err error) {
		conn, err = c.ListenPacket(ctx, addr)
		return err
	})
	return conn, err
}

// delegateSocket has the helper open a socket if this process was denied it, and does
// nothing else. Errors are *dns.ListenError.
func (m *Machine) delegateSocket(ctx context.Context, denied error, do func(*Client) error) error {
	if !errors.Is(denied, fs.ErrPermission) {
		return denied
	}
	err := m.delegate(ctx, denied, do)
	var refused *dns.ListenError
	if err != nil && !errors.As(err, &refused) {
		err = errors.Join(denied, err)
	}
	return err
}

// AddAddress implements dns.Machine.
func (m *Machine) AddAddress(ctx context.Context, addr netip.Addr) error {
	return m.address(ctx, func(machine dns.Machine) error { return machine.AddAddress(ctx, addr) })
}

// RemoveAddress implements dns.Machine.
func (m *Machine) RemoveAddress(ctx context.Context, addr netip.Addr) error {
	return m.address(ctx, func(machine dns.Machine) error { return machine.RemoveAddress(ctx, addr) })
}

// CleanAddresses removes the loopback addresses of dead sessions. A helper does
// that when it starts.
func (m *Machine) CleanAddresses(ctx context.Context) error {
	_, err := m.direct.Aliases.Clean(ctx)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_, err = m.helper(ctx, err)
	return err
}

func (m *Machine) address(ctx context.Context, do func(dns.Machine) error) error {
	err := do(m.direct)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return m.delegate(ctx, err, func(c *Client) error { return do(c) })
}

// delegate has the helper do what this process was denied. A helper that has
// ended is followed by another one, if that can be had without a question.
func (m *Machine) delegate(ctx context.Context, denied error, do func(*Client) error) error {
	client, err := m.helper(ctx, denied)
	if err != nil {
		return err
	}
	if err = do(client); !errors.Is(err, ErrGone) {
		return err
	}
	m.forget(client)
	if client, again := m.helper(ctx, denied); again == nil {
		return do(client)
	}
	return fmt.Errorf("%w: %w", denied, err)
}

// helper is the helper, started if it was not. denied is what it is needed for.
func (m *Machine) helper(ctx context.Context, denied error) (*Client, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.client != nil:
		return m.client, nil
	case m.start == nil:
		return nil, denied
	case m.refused != nil:
		return nil, m.refused // one question is enough
	}
	client, err := m.start(ctx, !m.started)
	if err != nil {
		err = fmt.Errorf("%w: %w", denied, err)
		if !m.started && ctx.Err() == nil {
			m.refused = err
		}
		return nil, err
	}
	m.client, m.started = client, true
	return client, nil
}

// forget forgets a helper that is gone.
func (m *Machine) forget(client *Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client == client {
		_ = client.Close() // it is gone
		m.client = nil
	}
}

// Started reports whether there is a helper.
func (m *Machine) Started() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.client != nil
}

// Close ends the helper, if there is one, and waits for it.
func (m *Machine) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client == nil {
		return nil
	}
	err := m.client.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	m.client = nil
	return err
}
