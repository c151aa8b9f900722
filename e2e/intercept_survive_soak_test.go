//go:build soak

package e2e

import (
	"testing"
	"time"
)

// TestSoakInterceptSurvivesTheNetworkAndSleep is as long as keepalives of the kernel
// and of proxies need to notice.
func TestSoakInterceptSurvivesTheNetworkAndSleep(t *testing.T) {
	survivesTheNetworkAndSleep(t, 40*time.Second, 90*time.Second)
}
