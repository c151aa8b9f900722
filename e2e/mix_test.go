package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/e2e/testserver/echo"
)

// The ports of the tests' server that all of this is about.
const (
	webPort = 8080 // HTTP/1 and HTTP/2, as the service's port 80
	rpcPort = 9000 // gRPC
)

// reach connects to one of the pods that a service leads to at that moment, as a client
// in the cluster is led there: this machine has routes to pods, and none to services.
func (n *namespace) reach(ctx context.Context, service string, port int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, loaderTimeout)
	defer cancel()
	found, err := n.client.DiscoveryV1().EndpointSlices(n.name).List(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, slice := range found.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
				addresses = append(addresses, endpoint.Addresses...)
			}
		}
	}
	if len(addresses) == 0 {
		return nil, errors.New("the service has no pods")
	}
	address := addresses[rand.IntN(len(addresses))]
	return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(port)))
}

// reachRPC is reach for a gRPC client of service web.
func (n *namespace) reachRPC(options ...grpc.DialOption) *grpc.ClientConn {
	n.t.Helper()
	conn, err := grpc.NewClient("passthrough:///web", append(options,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return n.reach(ctx, "web", rpcPort)
		}))...)
	require.NoError(n.t, err)
	n.t.Cleanup(func() { conn.Close() })
	return conn
}

// asker makes a request with a key, or with none, and returns who answered.
type asker func(ctx context.Context, key string) (said string, err error)

// baggage is the header that --personal is about, among others' members.
func baggage(key string) string { return "region=north,devtun=" + key + ";by=test" }

// webClient asks over HTTP/1 on connections that are kept, over HTTP/2 on one that all
// share, or, fresh, on a new one each time.
func (n *namespace) webClient(set func(*http.Protocols), fresh bool) *http.Transport {
	var protocols http.Protocols
	set(&protocols)
	transport := &http.Transport{
		Protocols: &protocols, DisableKeepAlives: fresh, MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return n.reach(ctx, "web", webPort) },
	}
	n.t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// webRequest has a body that cannot be had again: the client does not try again by itself
// what was lost.
func webRequest(ctx context.Context, key string) (*http.Request, error) {
	const body = "ask"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://web/who",
		io.NopCloser(strings.NewReader(body)))
	if err != nil {
		return nil, err
	}
	request.ContentLength = int64(len(body))
	if key != "" {
		request.Header.Set("Baggage", baggage(key))
	}
	return request, nil
}

// askHTTP asks as webClient does.
func (n *namespace) askHTTP(set func(*http.Protocols), fresh bool) asker {
	client := n.webClient(set, fresh)
	return func(ctx context.Context, key string) (string, error) {
		request, err := webRequest(ctx, key)
		if err != nil {
			return "", err
		}
		response, err := client.RoundTrip(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		said, err := io.ReadAll(response.Body)
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", response.Status, said)
		}
		return strings.TrimSpace(string(said)), err
	}
}

func http1(p *http.Protocols) { p.SetHTTP1(true) }
func http2(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }

// askRPC asks over gRPC, on one connection.
func (n *namespace) askRPC() asker {
	n.t.Helper()
	conn := n.reachRPC()
	return func(ctx context.Context, key string) (string, error) {
		if key != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "baggage", baggage(key))
		}
		_, trailer, err := echo.Say(ctx, conn, []byte("ask"))
		return strings.Join(trailer.Get(echo.HostTrailer), ","), err
	}
}

// mix asks service web over all protocols, for developers by turns.
type mix struct {
	protocols []string
	askers    map[string][]asker
	keys      func() []string // at that moment; "" is nobody's

	mu  sync.Mutex
	all []question
}

// newMix has several clients of each protocol.
func (n *namespace) newMix(keys func() []string) *mix {
	n.t.Helper()
	m := &mix{protocols: []string{"HTTP/1", "HTTP/2", "gRPC"}, askers: make(map[string][]asker), keys: keys}
	for range 4 {
		m.askers["HTTP/1"] = append(m.askers["HTTP/1"], n.askHTTP(http1, false))
		m.askers["HTTP/2"] = append(m.askers["HTTP/2"], n.askHTTP(http2, false))
		m.askers["gRPC"] = append(m.askers["gRPC"], n.askRPC())
	}
	m.askers["HTTP/1"] = append(m.askers["HTTP/1"], n.askHTTP(http1, true))
	return m
}

// run makes so many requests a second until ctx ends, and returns once all of them have
// ended: late ones are made up for.
func (m *mix) run(ctx context.Context, perSecond int) {
	var asking sync.WaitGroup
	defer asking.Wait()
	began := time.Now()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(perSecond)))):
		}
		asking.Go(func() { m.ask(context.WithoutCancel(ctx), m.protocols[i%len(m.protocols)]) })
	}
}

// ask makes one request.
func (m *mix) ask(ctx context.Context, protocol string) {
	ctx, cancel := context.WithTimeout(ctx, loaderTimeout)
	defer cancel()
	keys, askers := m.keys(), m.askers[protocol]
	q := question{protocol: protocol, key: keys[rand.IntN(len(keys))], from: time.Now()}
	q.said, q.err = askers[rand.IntN(len(askers))](ctx, q.key)
	q.to = time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, q)
}

// passes waits until requests that began later than at have ended.
func (m *mix) passes(t *testing.T, at time.Time) {
	t.Helper()
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(m.asked(), func(q question) bool { return q.from.After(at) })
	}, time.Until(at)+time.Minute, pollEvery)
}

// asked are all requests so far that have ended.
func (m *mix) asked() []question {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all[:len(m.all):len(m.all)]
}
