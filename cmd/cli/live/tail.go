package live

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/devtun/devtun/internal/pause"
)

// Pods are those whose logs are wanted: these, or else all of a workload's.
type Pods struct {
	Namespace string
	Names     []string
	Workload  string // as "deployment/web"
}

// tail is the end of what a row's pods log, as it comes.
type tail struct {
	lines    []string
	of       int // which one it is: what comes late of another is dropped
	begin    func(of int, pods Pods) (end func())
	ends     []func()
	followed []string // pods
}

// podLines are lines of a tail.
type podLines struct {
	of    int
	lines []string
}

func (t *tail) add(news podLines) {
	if news.of == t.of {
		t.lines = append(t.lines, news.lines...)
		t.lines = t.lines[max(0, len(t.lines)-keptLines):]
	}
}

// start follows the logs of a row's pods, by begin; nil: it cannot be.
func (t *tail) start(begin func(int, Pods) func(), r row) {
	t.stop()
	t.begin = begin
	switch {
	case begin == nil:
		t.lines = []string{"the logs are shown in the session's own table"}
	case r.left:
		t.lines = []string{"it is not forwarded"}
	case r.intercept:
		t.ends = append(t.ends, begin(t.of, Pods{Namespace: r.namespace, Workload: r.workload}))
	default:
		t.follow(r)
	}
}

// follow follows those of a service's pods that are new.
func (t *tail) follow(r row) {
	if t.begin == nil || r.intercept || r.left {
		return
	}
	var news []string
	for _, pod := range r.endpoints {
		if !slices.Contains(t.followed, pod) {
			news = append(news, pod)
		}
	}
	t.followed = r.endpoints
	if len(news) > 0 {
		t.ends = append(t.ends, t.begin(t.of, Pods{Namespace: r.namespace, Names: news}))
	}
}

// stop ends it.
func (t *tail) stop() {
	for _, end := range t.ends {
		end()
	}
	*t = tail{of: t.of + 1}
}

// batchEvery is how often, at most, lines of logs are handed to the view.
const batchEvery = 100 * time.Millisecond

// batch hands lines on, many at a time. Of those that are too many the last are kept.
type batch struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // with room for one
}

// add may be called concurrently. It does not wait.
func (b *batch) add(line string) {
	b.mu.Lock()
	b.lines = append(b.lines[max(0, len(b.lines)-keptLines+1):], line)
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// pass hands lines to send until ctx ends.
func (b *batch) pass(ctx context.Context, send func([]string)) {
	for {
		select {
		case <-b.more:
		case <-ctx.Done():
			return
		}
		b.mu.Lock()
		lines := b.lines
		b.lines = nil
		b.mu.Unlock()
		send(lines)
		if pause.Sleep(ctx, batchEvery) != nil {
			return
		}
	}
}
