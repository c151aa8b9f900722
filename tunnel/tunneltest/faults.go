package tunneltest

import "time"

// kubeletIdleTimeout is the kubelet's default for streaming connections.
const kubeletIdleTimeout = 4 * time.Hour

// faults are the ways in which an upgrade goes wrong on purpose.
type faults struct {
	unauthorized    bool
	refuseSPDY      int // status to answer; 0: upgrade
	refuseWebSocket int // status to answer; 0: upgrade
	idleTimeout     time.Duration
	linger          time.Duration // 0: containerd's
}

func (s *Server) faultsNow() faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

func (s *Server) setFault(set func(*faults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set(&s.faults)
}

// RefuseSPDY makes every SPDY upgrade fail with the given HTTP status and a
// page of text, as a proxy does that knows HTTP only: 400 and 403 are common.
// 0 accepts again.
func (s *Server) RefuseSPDY(status int) {
	s.setFault(func(f *faults) { f.refuseSPDY = status })
}

// RefuseWebSocket is RefuseSPDY for WebSocket upgrades.
func (s *Server) RefuseWebSocket(status int) {
	s.setFault(func(f *faults) { f.refuseWebSocket = status })
}

// Unauthorized makes every request fail with 401, as if the token had expired.
func (s *Server) Unauthorized(on bool) {
	s.setFault(func(f *faults) { f.unauthorized = on })
}

// SetIdleTimeout is how long a connection made from now on may stay without a
// frame before the server says GOAWAY and closes it. The default is that of a
// kubelet, 4 hours.
func (s *Server) SetIdleTimeout(d time.Duration) {
	s.setFault(func(f *faults) { f.idleTimeout = d })
}

// SetLinger is how long, from now on, a stream waits for its second direction once
// the first has ended. The default is that of containerd, a second:
// what is under way when it is over is lost.
func (s *Server) SetLinger(d time.Duration) {
	s.setFault(func(f *faults) { f.linger = d })
}

// Drop closes every client connection at once, without a word on it, as when
// the API server dies. New ones are accepted.
func (s *Server) Drop() { s.wires.closeAll() }

// Hang stops every byte in both directions and closes nothing, as a network
// that has become a black hole. New connections are accepted by the kernel and
// hang as well. Resume, or the test's end, undoes it.
func (s *Server) Hang() { s.valve.shut() }

// Resume lets the bytes flow again, those held back by Hang included.
func (s *Server) Resume() { s.valve.open() }
