//go:build soak

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSoakRunAsKilledAtEachRequest has the cluster itself remove what is left.
func TestSoakRunAsKilledAtEachRequest(t *testing.T) {
	t.Parallel()
	objects, reaper := dynamicClient(t), newReaper(t)
	var left []func()
	for k, changes := 1, 1+newNamespace(t).worker().handOverParts()+1; k <= changes; k++ {
		n := newNamespace(t).worker()
		before, err := n.objects(t.Context(), objects)
		require.NoError(t, err)
		n.killedRunAs(reaper, k)
		cause := reaper.cause()
		left = append(left, func() {
			n.nothingLeft(4 * time.Minute) // the Job has two
			n.asBefore(objects, before, cause)
		})
	}
	for _, gone := range left {
		gone()
	}
}
