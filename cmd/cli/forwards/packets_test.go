package forwards

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// withRelay has forwards reach all that only a relay does.
func withRelay(o *Options) {
	o.Relay, o.DialPacket = RelayAll, echoDatagrams
}

// echoDatagrams answers each datagram with where it went and what it said.
func echoDatagrams(_ context.Context, to tunnel.Endpoint) (io.ReadWriteCloser, error) {
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		buffer := make([]byte, 1000)
		for {
			n, err := there.Read(buffer)
			if err != nil {
				return
			}
			if _, err := there.Write(append([]byte(to.Name()+" "), buffer[:n]...)); err != nil {
				return
			}
		}
	}()
	return &lateReader{Conn: here}, nil
}

// lateReader never keeps a writer waiting for a reader.
type lateReader struct {
	net.Conn
	writing sync.WaitGroup
}

func (c *lateReader) Write(p []byte) (int, error) {
	copied := append([]byte{}, p...)
	c.writing.Go(func() { c.Conn.Write(copied) })
	return len(p), nil
}

func (c *lateReader) Close() error {
	err := c.Conn.Close()
	c.writing.Wait()
	return err
}

// udp makes a port one of UDP.
func udp(p discovery.Port) discovery.Port {
	p.UDP = true
	return p
}

// asks sends a datagram, and returns the answer.
func (w *world) asks(addr netip.Addr, port int, question string) string {
	w.t.Helper()
	conn, err := net.Dial("udp4", netip.AddrPortFrom(addr, uint16(port)).String())
	require.NoError(w.t, err)
	defer conn.Close()
	require.NoError(w.t, conn.SetDeadline(time.Now().Add(timeout)))
	_, err = io.WriteString(conn, question)
	require.NoError(w.t, err)
	answer := make([]byte, 1000)
	n, err := conn.Read(answer)
	require.NoError(w.t, err)
	return string(answer[:n])
}

// TestOneNumberOfTwoProtocols: DNS, for one.
func TestOneNumberOfTwoProtocols(t *testing.T) {
	w := newWorld(t, withRelay)
	resolver := serviceOf(portOf(5353, "a"), udp(portOf(5353, "b")))
	require.NoError(t, w.apply(map[string]*discovery.Service{"resolver": resolver}))
	require.Equal(t, []string{"ready resolver 5353:5353 5353:5353/udp", "READY 1 services, 2 ports"}, w.take())
	addr := address("resolver", 0)
	require.Equal(t, "b hello", w.asks(addr, 5353, "hello"))
	require.Equal(t, "a:5353", w.reach(addr, 5353))
	traffic := w.forwards.forwards[discovery.Key{Namespace: "demo", Name: "resolver"}][0].use.Traffic()
	require.GreaterOrEqual(t, traffic.Received, int64(7), "of both")

	// Each goes and comes without the other.
	require.NoError(t, w.apply(map[string]*discovery.Service{"resolver": serviceOf(portOf(5353, "a"))}))
	require.Equal(t, []string{"connection resolver:5353/udp b, no longer forwarded", "ready resolver 5353:5353"},
		w.take())
	require.Equal(t, "a:5353", w.reach(addr, 5353))
	require.NoError(t, w.apply(map[string]*discovery.Service{"resolver": serviceOf(udp(portOf(5353, "c")))}))
	require.Equal(t, []string{"ready resolver 5353:5353/udp"}, w.take())
	require.Equal(t, "c hello", w.asks(addr, 5353, "hello"))
	w.refuses(addr, 5353)
}

func TestWithoutARelayUDPIsSkipped(t *testing.T) {
	for about, adjust := range map[string]func(*Options){
		"none": func(*Options) {}, "none dialled": func(o *Options) { o.Relay = RelayNeeded },
		"none asked for": func(o *Options) { o.DialPacket = echoDatagrams },
	} {
		t.Run(about, func(t *testing.T) {
			w := newWorld(t, adjust)
			require.NoError(t, w.apply(map[string]*discovery.Service{
				"both": serviceOf(portOf(5353, "a"), udp(portOf(5353, "a"))), "only": serviceOf(udp(portOf(53, "a"))),
			}))
			require.Equal(t, []string{"ready both 5353:5353", "skipped only", "READY 1 services, 1 ports"}, w.told())
			require.Equal(t, "without 5353/UDP: a port-forward carries TCP only: --relay reaches it",
				w.events[0].Service.Reason)
			require.Equal(t, "53/UDP: a port-forward carries TCP only: --relay reaches it", w.events[1].Service.Reason)
		})
	}
}

func TestAServiceWithoutASelectorWaitsForAnEndpoint(t *testing.T) {
	w := newWorld(t, withRelay)
	manual := serviceOf(portOf(80))
	manual.Selectorless = true
	require.NoError(t, w.apply(map[string]*discovery.Service{"manual": manual}))
	require.Equal(t, []string{"waiting manual 80:80", "READY 1 services, 1 ports"}, w.told())
	require.Equal(t, "no ready endpoint", w.events[0].Service.Reason)
}

func TestWhereAUDPPortIsInUseTheAddressMoves(t *testing.T) {
	w := newWorld(t, withRelay)
	socket, err := dns.ListenPacket(t.Context(), netip.AddrPortFrom(address("resolver", 0), 5353))
	require.NoError(t, err)
	defer socket.Close()
	require.NoError(t, w.apply(map[string]*discovery.Service{"resolver": serviceOf(udp(portOf(5353, "a")))}))
	require.Equal(t, "a hello", w.asks(address("resolver", 1), 5353, "hello"))
}

func TestUDPPortsThatOnlyRootMayHave(t *testing.T) {
	w := newWorld(t, withRelay)
	w.machine.set(func(m *machine) { m.deniedPorts = []int{53} })
	require.NoError(t, w.apply(map[string]*discovery.Service{"resolver": serviceOf(udp(portOf(53, "a")))}))
	refused := w.events[0].Service.Refused
	require.Len(t, refused, 1)
	require.True(t, refused[0].Port.UDP)
	require.ErrorIs(t, refused[0], os.ErrPermission)
}

// TestWhatIsNoPodHasItsOwnNames: a database outside of the cluster, a pod, a machine.
func TestWhatIsNoPodHasItsOwnNames(t *testing.T) {
	w := newWorld(t, withRelay)
	db := portOf(5432)
	db.Endpoints = []tunnel.Endpoint{{Pod: tunnel.Pod{Namespace: "demo"}, Host: "db.internal", Port: 5432}}
	require.NoError(t, w.apply(map[string]*discovery.Service{
		"host/db.internal": serviceOf(db), "ip/10.1.2.3": serviceOf(portOf(80, "x")),
		"pod/web-0": serviceOf(portOf(8080, "web-0")), "vm/old": serviceOf(portOf(22, "virt-launcher-old")),
	}))
	require.Equal(t, []string{"db.internal", "old", "web-0"}, w.machine.shortNames())
	require.Equal(t, []string{"ready host/db.internal 5432:5432", "ready ip/10.1.2.3 80:80", "ready pod/web-0 8080:8080",
		"ready vm/old 22:22", "READY 4 services, 4 ports"}, w.take())
	addr := loopback.Address(dns.Key("test", dns.Service{Namespace: "demo", Name: "db.internal", Kind: dns.Host}), 0)
	require.Equal(t, "db.internal:5432", w.reach(addr, 5432))
	require.Empty(t, w.forwards.forwards[discovery.Key{Namespace: "demo", Name: "host/db.internal"}][0].ready())
	require.Equal(t, []string{"virt-launcher-old"}, w.ready)

	// A service of the same name has it.
	require.NoError(t, w.apply(map[string]*discovery.Service{"old": serviceOf(portOf(80, "a"))}))
	require.Equal(t, []string{"db.internal", "old", "web-0"}, w.machine.shortNames())
	require.Len(t, w.machine.names[1].Names, 4)
}
