package look

import "sync/atomic"

const (
	// Budget, in bytes, is what may be kept for one watcher.
	Budget = 4 << 20

	// hubBudget, in bytes, is what may be kept for all of them.
	hubBudget = 24 << 20
)

// budget bounds, in bytes, what is kept.
type budget struct {
	most int64
	of   *budget // which it is a part of; nil is none
	used atomic.Int64
}

// take reserves n bytes, unless that would be too many.
func (b *budget) take(n int) bool {
	if b == nil {
		return true
	}
	if b.used.Add(int64(n)) > b.most || !b.of.take(n) {
		b.used.Add(int64(-n))
		return false
	}
	return true
}

// give gives them back.
func (b *budget) give(n int) {
	for ; b != nil; b = b.of {
		b.used.Add(int64(-n))
	}
}
