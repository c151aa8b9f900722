package forwards

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortsThatNobodyUsesHaveNoGoroutine(t *testing.T) {
	const many = 100
	w := newWorld(t)
	all := services{}
	for i := range many {
		all[fmt.Sprintf("web-%d", i)] = serviceOf(portOf(18080, "pod"), portOf(18081, "pod"))
	}
	before := runtime.NumGoroutine()
	require.NoError(t, w.apply(all))
	require.LessOrEqual(t, runtime.NumGoroutine(), before+1, "who waits for the first connections")
	require.Equal(t, fmt.Sprintf("READY %d services, %d ports", many, 2*many), w.take()[many])

	for range 2 { // the first connection, and another
		require.Equal(t, "pod:18081", w.reach(address("web-7", 0), 18081))
	}
	all["web-7"] = nil
	require.NoError(t, w.apply(all))
	w.refuses(address("web-7", 0), 18080)
	w.refuses(address("web-7", 0), 18081)
}
