package intercept

import (
	"context"
	"slices"
	"time"

	"github.com/devtun/devtun/internal/pause"
)

const (
	// lookEvery is how often this machine's listening sockets are looked at.
	lookEvery = 100 * time.Millisecond

	// Where a listening socket cannot be seen (another machine, another system)
	// it is tried by connecting: often while nobody listens, as that disturbs
	// nobody, and rarely while somebody does. A dial that fails tells at once.
	probeClosed = 250 * time.Millisecond
	probeOpen   = 10 * time.Second

	// probeUnseen is how often it is tried although no socket is seen: it may be
	// in another network namespace, behind address translation.
	probeUnseen = 2 * time.Second
)

// watch tells whether a local process listens, at first and at each change, until
// ctx ends.
func (l *local) watch(ctx context.Context, changed func(open bool)) {
	told, first := false, true
	for {
		open := l.check(ctx)
		if ctx.Err() != nil {
			return
		}
		if first || open != told {
			told, first = open, false
			changed(open)
		}
		if pause.Until(ctx, l.look, l.interval()) != nil {
			return
		}
	}
}

func (l *local) interval() time.Duration {
	if l.at != nil && canSeeListeners {
		return lookEvery
	}
	return probeClosed
}

// check finds out, by looking or by connecting, whether a local process listens.
func (l *local) check(ctx context.Context) bool {
	inodes, seen := l.listeners()
	l.mu.Lock()
	gone := len(l.inodes) > 0 && len(inodes) == 0 && seen
	l.inodes = inodes
	switch {
	case len(inodes) > 0 && !slices.Equal(inodes, l.refusing):
		l.open, l.refusing = true, nil
	case gone:
		l.open, l.refusing = false, nil
	case time.Since(l.probed) >= l.probeInterval(seen):
		l.mu.Unlock()
		open := l.probe(ctx)
		if open { // it may have begun to listen just now
			inodes, _ = l.listeners()
		}
		l.mu.Lock()
		l.open, l.probed, l.inodes = open, time.Now(), inodes
	}
	defer l.mu.Unlock()
	return l.open
}

// probeInterval is the time between two probes. Call it with mu held.
func (l *local) probeInterval(seen bool) time.Duration {
	switch {
	case l.open:
		return probeOpen
	case seen:
		return probeUnseen
	}
	return probeClosed
}

// listeners are the sockets, by inode, that would take a connection to the local
// address; seen is false where that cannot be told.
func (l *local) listeners() (inodes []uint64, seen bool) {
	if l.at == nil || !canSeeListeners {
		return nil, false
	}
	all, err := listening(l.at[0].Port()) // all have the same
	if err != nil {
		return nil, false
	}
	for _, socket := range all {
		for _, at := range l.at {
			if reaches(at, socket.at) {
				inodes = append(inodes, socket.inode)
				break
			}
		}
	}
	slices.Sort(inodes)
	return inodes, true
}

// probe tries whether a local process takes a connection.
func (l *local) probe(ctx context.Context) bool {
	conn, err := l.connect(ctx)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
