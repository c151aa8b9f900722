package intercept

import "context"

// Listening is those of Config.Local where a process listens now.
func (s *Session) Listening(ctx context.Context) (open []Local) {
	for _, l := range s.locals {
		if l.check(ctx) {
			open = append(open, l.Local)
		}
	}
	return open
}
