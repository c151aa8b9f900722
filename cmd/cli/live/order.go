package live

import (
	"cmp"
	"slices"
	"strings"
)

// order is a way to sort services: words from A on, numbers from the largest.
type order struct {
	column string // its title
	sign   string // what that gets
	less   func(a, b row) int
}

// orders are the ways there are, in the order of the key that changes them. The
// first one is that of the snapshot.
var orders = []order{
	{"SERVICE", "▲", nil},
	{"PODS", "▼", func(a, b row) int { return cmp.Compare(b.pods, a.pods) }},
	{"OPEN", "▼", func(a, b row) int { return cmp.Compare(b.use.Open, a.use.Open) }},
	{"SENT/s", "▼", func(a, b row) int { return cmp.Compare(b.rate.sent, a.rate.sent) }},
	{"RECV/s", "▼", func(a, b row) int { return cmp.Compare(b.rate.received, a.rate.received) }},
	{"LAST ERROR", "▼", func(a, b row) int { return cmp.Compare(troubleRank(b), troubleRank(a)) }},
}

// turned is the sign of the other way round.
var turned = map[string]string{"▲": "▼", "▼": "▲"}

func last(is bool) int {
	if is {
		return 1
	}
	return 0
}

// troubleRank puts what is amiss before what was, and the latest before others.
func troubleRank(r row) int64 {
	switch {
	case r.amiss:
		return 1 << 62
	case r.use.LastErrorAt != nil:
		return r.use.LastErrorAt.UnixNano()
	}
	return 0
}

// arrange filters rows and sorts the services among them.
func arrange(rows []row, filter string, by int, reverse bool) []row {
	filter = strings.ToLower(filter)
	kept := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !strings.Contains(r.searched, filter) })
	first := slices.IndexFunc(kept, func(r row) bool { return !r.intercept })
	if first < 0 {
		return kept
	}
	services := kept[first:]
	less := orders[by].less
	if less == nil {
		less = func(row, row) int { return 0 }
	}
	if reverse {
		slices.Reverse(services)
		forth := less
		less = func(a, b row) int { return forth(b, a) }
	}
	slices.SortStableFunc(services, less)
	slices.SortStableFunc(services, func(a, b row) int { return last(a.left) - last(b.left) }) // these last
	return kept
}
