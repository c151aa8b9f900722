package status

// latest is the last RecentMax of what there was. Its lists, newest first, are never written
// to once they are returned, so that snapshots may share them; they share what they hold.
// The zero value holds nothing.
type latest[T any] struct {
	room  []T // the lists are its last part, and free is what is before that
	free  int
	count int
}

// add adds one, and returns the list.
func (l *latest[T]) add(one T) []T {
	kept := min(l.count, RecentMax-1)
	if l.free == 0 {
		room := make([]T, 2*RecentMax)
		copy(room[len(room)-kept:], l.room[:kept])
		l.room, l.free = room, len(room)-kept
	}
	l.free--
	l.room[l.free] = one
	l.count = kept + 1
	return l.room[l.free : l.free+l.count : l.free+l.count]
}
