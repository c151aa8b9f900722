package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// proxy stands in front of the API server and can break what passes.
type proxy struct {
	t    *testing.T
	link *toxiproxy.Proxy
	hole *hole
}

// directions are those in which a toxic works; ours always work in both.
var directions = []string{"upstream", "downstream"}

// newProxy starts a proxy that does no harm yet. It ends with the test.
func newProxy(t *testing.T) *proxy {
	t.Helper()
	api, err := url.Parse(restConfig(t).Host)
	require.NoError(t, err)
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics log on their own
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &proxy{t, toxiproxy.NewProxy(server, "api", "127.0.0.1:0", api.Host), &hole{end: make(chan struct{})}}
	toxics.Register("hole", new(holeToxic))
	for _, toxic := range p.add("hole", 1, "{}") {
		toxic.Toxic.(*holeToxic).hole = p.hole
	}
	require.NoError(t, p.link.Start())
	t.Cleanup(func() {
		close(p.hole.end)
		p.link.Stop()
	})
	return p
}

// kubeconfig writes one that leads through the proxy to the same API server.
func (p *proxy) kubeconfig() string {
	p.t.Helper()
	config := adminConfig(p.t)
	cluster := config.Clusters[config.Contexts[config.CurrentContext].Cluster]
	server, err := url.Parse(cluster.Server)
	require.NoError(p.t, err)
	if cluster.TLSServerName == "" {
		cluster.TLSServerName = server.Hostname()
	}
	server.Host = p.link.Listen
	cluster.Server = server.String()
	return writeConfig(p.t, config)
}

// add puts a toxic in the way, to act on a share of the connections.
func (p *proxy) add(kind string, share float32, attributes string) (added []*toxics.ToxicWrapper) {
	p.t.Helper()
	for _, direction := range directions {
		toxic, err := p.link.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
			`{"name":"%[1]s %[2]s","type":%[1]q,"stream":%[2]q,"toxicity":%[3]v,"attributes":%[4]s}`, kind, direction, share,
			attributes)))
		require.NoError(p.t, err)
		added = append(added, toxic)
	}
	return added
}

// share changes the share of the connections that a toxic acts on.
func (p *proxy) share(kind string, share float32) {
	p.t.Helper()
	for _, direction := range directions {
		_, err := p.link.Toxics.UpdateToxicJson(kind+" "+direction, strings.NewReader(fmt.Sprintf(`{"toxicity":%v}`, share)))
		require.NoError(p.t, err)
	}
}

func (p *proxy) remove(kind string) {
	p.t.Helper()
	for _, direction := range directions {
		require.NoError(p.t, p.link.Toxics.RemoveToxic(p.t.Context(), kind+" "+direction))
	}
}

// hole, while open, swallows all that is sent, and tells nobody. A connection
// that has lost something stays silent for good, as one does whose way led
// through a machine that has forgotten it: only new ones work afterwards.
type hole struct {
	open atomic.Bool
	end  chan struct{} // of the test
}

// holeToxic is the hole in one direction, as toxiproxy wants it.
type holeToxic struct{ *hole }

// Pipe implements toxics.Toxic.
func (h *holeToxic) Pipe(stub *toxics.ToxicStub) {
	silent := false
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			silent = silent || h.open.Load()
			switch {
			case silent && chunk == nil:
				<-h.end // the other side does not learn of the close either
				stub.Close()
				return
			case silent:
			case chunk == nil:
				stub.Close()
				return
			default:
				stub.Output <- chunk
			}
		}
	}
}
