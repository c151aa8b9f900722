package forwards

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/internal/proc"
)

// machine is a dns.Machine that listens for real, keeps names to itself, and
// fails where it is told to.
type machine struct {
	mu        sync.Mutex
	calls     []string          // "listen", "names", "add" and "remove", in order
	names     []hostsfile.Entry // as last set
	addresses map[netip.Addr]bool
	report    hostsfile.Report // of the next SetNames

	failNames   error
	failAddress error
	refuse      map[netip.Addr]error
	busyPorts   []int        // in use on every address
	deniedPorts []int        // for want of rights
	busyAddrs   []netip.Addr // with all their ports in use
}

var _ dns.Machine = (*machine)(nil)

func (m *machine) SetNames(_ context.Context, entries []hostsfile.Entry) (hostsfile.Report, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, "names")
	if m.failNames != nil {
		return hostsfile.Report{}, m.failNames
	}
	m.names = slices.Clone(entries)
	return m.report, nil
}

func (m *machine) Listen(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, "listen")
	if err := m.obstacle(addr); err != nil {
		return nil, err
	}
	return dns.Listen(ctx, addr)
}

func (m *machine) ListenPacket(ctx context.Context, addr netip.AddrPort) (net.PacketConn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, "listen")
	if err := m.obstacle(addr); err != nil {
		return nil, err
	}
	return dns.ListenPacket(ctx, addr)
}

// obstacle is what keeps addr from being listened on.
func (m *machine) obstacle(addr netip.AddrPort) error {
	if !m.addresses[addr.Addr()] {
		return errors.New("AddAddress comes first")
	}
	if slices.Contains(m.busyPorts, int(addr.Port())) || slices.Contains(m.busyAddrs, addr.Addr()) {
		return &dns.ListenError{Addr: addr, Holder: proc.Process{PID: 7, Name: "nginx"}, Err: syscall.EADDRINUSE}
	}
	if slices.Contains(m.deniedPorts, int(addr.Port())) {
		return &dns.ListenError{Addr: addr, Err: syscall.EACCES}
	}
	return nil
}

func (m *machine) AddAddress(_ context.Context, addr netip.Addr) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, "add")
	if err := m.refuse[addr]; err != nil {
		return err
	}
	if m.failAddress != nil {
		return m.failAddress
	}
	m.addresses[addr] = true
	return nil
}

func (m *machine) RemoveAddress(_ context.Context, addr netip.Addr) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, "remove")
	delete(m.addresses, addr)
	return nil
}

// set changes how the machine behaves.
func (m *machine) set(change func(*machine)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// take returns the calls since it was last asked.
func (m *machine) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := m.calls
	m.calls = nil
	return calls
}

// shortNames lists the first name of each entry.
func (m *machine) shortNames() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for _, entry := range m.names {
		names = append(names, entry.Names[0])
	}
	return names
}

// held is the number of addresses added and not removed.
func (m *machine) held() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.addresses)
}
