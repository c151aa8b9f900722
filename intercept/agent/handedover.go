package agent

import (
	"context"
	"fmt"
	"time"
)

// awaitHandedOver returns once the developer's side says that it has all it wanted, or is
// gone, or ctx has ended. The error says that nobody has come.
func (a *Agent) awaitHandedOver(ctx context.Context) error {
	absent := time.NewTimer(a.ComeTimeout)
	defer absent.Stop()
	was := false
	for {
		changed := a.changed.Wait()
		a.mu.Lock()
		is, drains, had := len(a.developers) > 0, a.draining != "", a.hadDeveloper
		a.mu.Unlock()
		switch {
		case drains:
			return nil
		case is:
			absent.Stop()
		case was:
			absent.Reset(a.BackTimeout)
		}
		was = is
		select {
		case <-changed:
		case <-absent.C:
			if !had {
				return fmt.Errorf("hand over environment and files: no devtun has come for them within %v", a.ComeTimeout)
			}
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}
