package status

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLatest(t *testing.T) {
	var l latest[int]
	var all []int
	var lists [][]int
	for n := range 5 * RecentMax {
		all = slices.Insert(all, 0, n)
		lists = append(lists, l.add(n))
	}
	for n, list := range lists { // as they were returned, and not written to since
		begin := len(all) - 1 - n
		require.Equal(t, all[begin:min(begin+RecentMax, len(all))], list)
	}
}
