// Package broadcast tells many of a change: whoever waits is woken, and may wait for
// the next one.
//
//	for {
//		changed := signal.Wait() // before looking, so that no change is missed
//		if ready() {
//			return
//		}
//		<-changed
//	}
package broadcast

import "sync"

// Signal tells of changes. The zero value is ready to use; its methods may be called
// concurrently.
type Signal struct {
	mu   sync.Mutex
	next chan struct{} // closed at the next change; nil until somebody waits
}

// Wait returns what is closed at the next Notify.
func (s *Signal) Wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

// Awaited reports that somebody has asked for the next Notify.
func (s *Signal) Awaited() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next != nil
}

// Notify wakes all who wait.
func (s *Signal) Notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}
