package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Distance is a proxy that puts the API server farther away. Data is delayed,
// not throttled: up to 32 MB are under way. To connect takes no longer, so that
// opening an API connection is one round trip shorter than in life.
type Distance struct {
	Kubeconfig string // leads through the proxy
	proxy      *toxiproxy.Proxy
}

// PutAway starts a proxy in front of the API server at host with half of the round trip in
// each direction, and sees that it is so. kubeconfig writes one that leads to a server by
// its URL. The caller closes it.
func PutAway(ctx context.Context, host string, trip time.Duration, kubeconfig func(server string) (string, error)) (
	*Distance, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "api", "127.0.0.1:0", host)
	if err := proxy.Start(); err != nil {
		return nil, fmt.Errorf("start proxy: %w", err)
	}
	d := &Distance{proxy: proxy}
	err := d.begin(ctx, trip, kubeconfig)
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Distance) begin(ctx context.Context, trip time.Duration,
	kubeconfig func(string) (string, error)) (err error) {
	for _, stream := range []string{"upstream", "downstream"} {
		toxic := fmt.Sprintf(`{"name":%[1]q,"type":"latency","stream":%[1]q,"attributes":{"latency":%d}}`, stream,
			(trip / 2).Milliseconds())
		if _, err := d.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return fmt.Errorf("set latency: %w", err)
		}
	}
	if d.Kubeconfig, err = kubeconfig("https://" + d.proxy.Listen); err != nil {
		return err
	}
	measured, err := d.measure(ctx)
	if err == nil && (measured < trip || measured > 3*trip/2) {
		err = fmt.Errorf("a request to the distant API server takes %v, not %v", measured, trip)
	}
	return err
}

// Close ends the proxy.
func (d *Distance) Close() { d.proxy.Stop() }

// measure is the shortest of a few requests to the API server, on a connection
// that stands.
func (d *Distance) measure(ctx context.Context) (time.Duration, error) {
	config, err := clientcmd.BuildConfigFromFlags("", d.Kubeconfig)
	if err != nil {
		return 0, fmt.Errorf("read kubeconfig: %w", err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return 0, fmt.Errorf("make API client: %w", err)
	}
	defer utilnet.CloseIdleConnectionsFor(client.Transport)
	shortest := time.Hour
	for range 5 {
		began := time.Now()
		ask, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/version", nil)
		if err != nil {
			return 0, fmt.Errorf("ask the distant API server: %w", err)
		}
		answer, err := client.Do(ask)
		if err != nil {
			return 0, fmt.Errorf("ask the distant API server: %w", err)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("ask the distant API server: %s: %w", answer.Status, err)
		}
		shortest = min(shortest, time.Since(began))
	}
	return shortest, nil
}
