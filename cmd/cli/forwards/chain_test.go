package forwards

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/carry"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
	"github.com/devtun/devtun/tunnel/proxy"
)

// chainPort is the port of all services of the chain.
const chainPort = 28080

// web answers with its name, the baggage that it got, and what the next one says; with
// next "" it is the last one.
func web(t *testing.T, name string, next func(*http.Request) string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s%q", name, r.Header["Baggage"])
		if next != nil {
			fmt.Fprint(w, " > "+next(r))
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// fetch asks for /, with these headers, on a connection of its own.
func fetch(at string, header http.Header) string {
	request, err := http.NewRequest(http.MethodGet, "http://"+at, nil)
	if err != nil {
		return err.Error()
	}
	request.Close = true
	if header != nil {
		request.Header = header
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return string(body)
}

// dialTo has one server be all pods.
func dialTo(servers map[string]*httptest.Server) func(context.Context, tunnel.Endpoint) (tunnel.Conn, error) {
	return func(ctx context.Context, to tunnel.Endpoint) (tunnel.Conn, error) {
		return process(servers[to.Pod.Name].Listener.Addr().String()).Dial(ctx)
	}
}

// process is one of this machine's, by its address.
type process string

func (p process) Dial(ctx context.Context) (proxy.Upstream, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp4", string(p))
	if err != nil {
		return nil, err
	}
	return processConn{tcp{conn.(*net.TCPConn)}}, nil
}

type processConn struct{ tcp }

func (processConn) Taken() <-chan struct{} { return nil }

// TestAChain is front (cluster) → middle (this machine) → back (a colleague's): what a
// browser's forward stamps arrives there, though middle passes nothing on by itself.
func TestAChain(t *testing.T) {
	at := func(service string) string {
		return netip.AddrPortFrom(address(service, 0), chainPort).String()
	}
	key := func(service string) discovery.Key { return discovery.Key{Namespace: "demo", Name: service} }
	rule := claim.Rule{Headers: []claim.Header{claim.Personal("ann")}}
	carried, unknown := carry.Of(rule)
	require.Empty(t, unknown)
	intercepts := new(carry.Intercepts)
	intercept, clashing := intercepts.Begin(carried)
	require.Empty(t, clashing)
	defer intercept.End()

	back := web(t, "back", nil)
	middle := web(t, "middle", func(*http.Request) string { return fetch(at("back"), nil) })
	origin := web(t, "origin", nil)
	front := web(t, "front", func(r *http.Request) string { // as OpenTelemetry passes it on, and the agent finds middle
		return fetch(middle.Listener.Addr().String(), http.Header{"Baggage": r.Header["Baggage"]})
	})

	here := newWorld(t, func(o *Options) {
		o.Dial = dialTo(map[string]*httptest.Server{"back-0": back, "origin-0": origin})
		o.Requests = func(service discovery.Key, port int) *tunnel.Requests {
			return intercepts.Requests(nil, service, port)
		}
	})
	require.NoError(t, here.apply(map[string]*discovery.Service{
		"back": serviceOf(portOf(chainPort, "back-0")), "middle": serviceOf(portOf(chainPort, "origin-0")),
	}))
	stamps, err := carry.Parse([]string{"baggage: devtun=ann"})
	require.NoError(t, err)
	browser := newWorld(t, func(o *Options) {
		o.Dial = dialTo(map[string]*httptest.Server{"front-0": front})
		o.Requests = func(service discovery.Key, port int) *tunnel.Requests {
			return (*carry.Intercepts)(nil).Requests(stamps, service, port)
		}
	})
	require.NoError(t, browser.apply(map[string]*discovery.Service{"front": serviceOf(portOf(chainPort, "front-0"))}))
	require.Equal(t, `front["devtun=ann"] > middle["devtun=ann"] > back["devtun=ann"]`, fetch(at("front"), nil))

	require.Equal(t, `origin["devtun=ann"]`, fetch(at("middle"), nil), "it does not stand yet")
	listens := true
	require.NoError(t, intercept.Stands(claim.Claim{Rule: rule}, []carry.Here{{Service: key("middle"), Port: chainPort,
		To: process(middle.Listener.Addr().String()), Listens: func() bool { return listens }}}))
	require.Equal(t, `middle["devtun=ann"] > back["devtun=ann"]`, fetch(at("middle"), nil))
	require.Equal(t, `middle["tenant=x, devtun=ann"] > back["devtun=ann"]`,
		fetch(at("middle"), http.Header{"Baggage": {"tenant=x"}}))
	listens = false
	require.Equal(t, `origin["devtun=ann"]`, fetch(at("middle"), nil))
	listens = true
	middle.Close()
	require.Equal(t, `origin["devtun=ann"]`, fetch(at("middle"), nil), "it has just stopped")
}
