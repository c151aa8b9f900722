package tunneltest

// Stats is what the server has seen so far, and what is open now.
type Stats struct {
	Requests    int // requests for a port-forward, refused ones included
	SPDY        int // connections upgraded to SPDY
	WebSocket   int // connections upgraded to WebSocket
	Connections int // upgraded connections open now
	Streams     int // pairs of an error and a data stream
	OpenStreams int // pairs whose bytes are being moved now
}

// Upgrades is the number of port-forward connections granted so far.
func (s Stats) Upgrades() int { return s.SPDY + s.WebSocket }

// Stats returns a consistent snapshot.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

func (s *Server) count(update func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	update(&s.stats)
}
