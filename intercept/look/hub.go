package look

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/tunnel/proxy"
)

// About is what a request is about, beside what it says itself.
type About struct {
	Port   int          // the agent's
	Client string       // the client's address
	By     *claim.Claim // whose developer answers; nil: the origin does
}

// watcher looks on.
type watcher interface {
	// begin is told of a request that matches; nil is that it does not look on at this.
	begin(*proxy.Request, About) proxy.Observation
}

// Hub knows who looks on. Make it with NewHub; its methods may be called concurrently.
type Hub struct {
	budget budget

	mu  sync.Mutex                 // of changes
	all atomic.Pointer[[]*watched] // never changed, only replaced
}

// watched is a watcher, and which requests it wants.
type watched struct {
	watcher
	match claim.Matcher
	rule  claim.Rule
	ports []int // empty: all
	only  string
}

// NewHub returns one that nobody uses.
func NewHub() *Hub {
	h := &Hub{budget: budget{most: hubBudget}}
	h.all.Store(&[]*watched{})
	return h
}

// Idle reports that nobody looks on: there is no need for Begin.
func (h *Hub) Idle() bool { return len(*h.all.Load()) == 0 }

// Begin returns who looks on at a request; nil is nobody.
func (h *Hub) Begin(r *proxy.Request, about About) proxy.Observation {
	var all observations
	for _, w := range *h.all.Load() {
		if w.wants(r, about) {
			if o := w.begin(r, about); o != nil {
				all = append(all, o)
			}
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

func (w *watched) wants(r *proxy.Request, about About) bool {
	switch {
	case len(w.ports) > 0 && !slices.Contains(w.ports, about.Port):
		return false
	case w.only != "" && (about.By == nil || about.By.ID != w.only):
		return false
	case w.rule.All():
		return true
	}
	return !r.Whole() && w.match.Match(r.Method, r.Path(), r.Values)
}

// add has a watcher look on until remove is called. only is the claim whose requests it
// is about; "" is all. It fails if the rule is none.
func (h *Hub) add(rule claim.Rule, ports []int, only string, w watcher) (remove func(), err error) {
	match, err := rule.Compile()
	if err != nil {
		return nil, err
	}
	one := &watched{w, match, rule, ports, only}
	h.change(func(all []*watched) []*watched { return append(all, one) })
	return func() {
		h.change(func(all []*watched) []*watched {
			return slices.DeleteFunc(all, func(other *watched) bool { return other == one })
		})
	}, nil
}

func (h *Hub) change(by func([]*watched) []*watched) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := by(slices.Clone(*h.all.Load()))
	h.all.Store(&all)
}

// observations are several that look on at one request.
type observations []proxy.Observation

func (all observations) RequestBody(p []byte) {
	for _, o := range all {
		o.RequestBody(p)
	}
}

func (all observations) RequestEnd(trailer []proxy.Field) {
	for _, o := range all {
		o.RequestEnd(trailer)
	}
}

func (all observations) Answer(status int, header []proxy.Field) {
	for _, o := range all {
		o.Answer(status, header)
	}
}

func (all observations) AnswerBody(p []byte) {
	for _, o := range all {
		o.AnswerBody(p)
	}
}

func (all observations) AnswerTrailer(trailer []proxy.Field) {
	for _, o := range all {
		o.AnswerTrailer(trailer)
	}
}

func (all observations) End(err error) {
	for _, o := range all {
		o.End(err)
	}
}
