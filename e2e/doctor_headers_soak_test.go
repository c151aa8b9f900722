//go:build soak

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSoakDoctorHeaders: service-front of the examples passes no header on, and is named; the
// cluster is as before.
func TestSoakDoctorHeaders(t *testing.T) {
	t.Parallel()
	n := newNamespace(t).chain()
	before := n.trace()
	for until := time.Now().Add(3 * time.Minute); ; {
		d := doctorWithin(t, 2*time.Minute, kubeconfig(), []string{"SHELL=/bin/sh"}, "-n", n.name, "service-front",
			"--headers")
		if d.result("headers").Status == "fault" {
			requireFault(t, d, "headers", "service-middle got the request without it: baggage is lost in service-front")
			require.Contains(t, strings.Join(d.fault().Evidence, "\n"), "service-middle of service-front-")
			break
		}
		// service-front may have asked by a connection that stood before.
		require.Contains(t, d.result("headers").Message, "connections that stood before")
		require.True(t, time.Now().Before(until), "%+v", d)
	}
	n.noAgents()
	n.asTraced(before)
}
