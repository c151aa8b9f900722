//go:build soak

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// probesGone is when the cluster has removed what a devtun has left that was killed: their Job
// lasts for a minute.
const probesGone = 100 * time.Second

// TestSoakDoctorIsKilledWhileItProbes kills it with SIGKILL after its first change, and after
// the third: nothing of it stays.
func TestSoakDoctorIsKilledWhileItProbes(t *testing.T) {
	t.Parallel()
	reaper, objects := newReaper(t), dynamicClient(t)
	var left []func()
	for _, k := range []int{1, 3} {
		n := newNamespace(t).testserver("web", 1)
		before, err := n.objects(t.Context(), objects)
		require.NoError(t, err)
		d := reaper.launchPlain(k, "doctor", "-n", n.name, "web", "--probe")
		code, stderr := d.ends()
		require.Equal(t, -1, code, "%s: %s", reaper.cause(), stderr)
		cause := reaper.cause()
		left = append(left, func() {
			n.nothingLeft(probesGone)
			n.asBefore(objects, before, cause)
		})
	}
	for _, gone := range left {
		gone()
	}
}
