package conformance

import (
	"testing"

	"github.com/devtun/devtun/tunnel/proxy"
)

// TestExchanges that a rule tells apart.
func TestExchanges(t *testing.T) {
	var lanes []Lane
	for range 4 {
		origin, local := listen(t), listen(t)
		t.Cleanup(func() { origin.Close(); local.Close() })
		lanes = append(lanes, Lane{Origin: origin, Local: local,
			In: carried(t, route(func(r *proxy.Request) proxy.Destination {
				for _, value := range r.Values(MarkName) {
					if value == MarkValue {
						return address(local)
					}
				}
				return address(origin)
			}))})
	}
	Exchanges(t, lanes)
}
