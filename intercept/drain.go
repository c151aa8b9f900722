package intercept

import (
	"context"

	"github.com/devtun/devtun/intercept/wire"
)

// Drain asks the agents to wind up, and waits until none sends connections here
// and the local process has none left. Call it when new connections no longer
// come to the agents. The error is ctx's.
func (s *Session) Drain(ctx context.Context) error {
	s.mu.Lock()
	for _, l := range s.live() {
		l.session.Drain()
	}
	s.mu.Unlock()
	for {
		changed, idle := s.changed.Wait(), s.count.idle.Wait()
		if !s.receives() && s.Summary().Open == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-idle:
		case <-s.ended:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// receives reports whether some agent sends connections here.
func (s *Session) receives() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.live() {
		for _, state := range l.states {
			if state.To == wire.ToDeveloper && l.session.Present() {
				return true
			}
		}
	}
	return false
}
