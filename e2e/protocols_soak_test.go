//go:build soak

package e2e

import (
	"testing"
	"time"
)

func TestSoakProtocols(t *testing.T) {
	n := sharedWeb(t)
	d := startForward(t, "-n", n.name)
	speakAll(t, "web-", func(port int) string { return d.addr("web", port) }, gigabyte)
}

func TestSoakInterceptCarriesEveryProtocol(t *testing.T) {
	interceptCarriesEveryProtocol(t, gigabyte, time.Minute)
}

func TestSoakUploadsHarmNoneBesideThem(t *testing.T) {
	uploadsHarmNone(t, sharedWeb(t), portForward, 15*time.Second)
}
