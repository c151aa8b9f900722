package tunneltest

import (
	"net"
	"sync"
)

// wire is one client connection below TLS. Its bytes stop at the valve.
type wire struct {
	net.Conn
	valve  *valve
	wires  *group
	once   sync.Once
	closed chan struct{}
}

// Read holds back what has already arrived too: a read may have been waiting
// when the valve was shut.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.valve.pass(w.closed)
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	w.valve.pass(w.closed)
	return w.Conn.Write(p)
}

func (w *wire) Close() error {
	w.once.Do(func() {
		close(w.closed)
		w.wires.remove(w)
	})
	return w.Conn.Close()
}

// wireListener makes a wire of every connection and keeps it in wires.
type wireListener struct {
	net.Listener
	valve *valve
	wires *group
}

func (l *wireListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, valve: l.valve, wires: l.wires, closed: make(chan struct{})}
	if !l.wires.add(w) {
		conn.Close()
		return nil, net.ErrClosed
	}
	return w, nil
}

// valve lets bytes pass or holds them.
type valve struct {
	mu     sync.Mutex
	opened chan struct{} // closed while the valve is open
}

func newValve() *valve {
	v := &valve{opened: make(chan struct{})}
	close(v.opened)
	return v
}

func (v *valve) shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.opened:
		v.opened = make(chan struct{})
	default:
	}
}

func (v *valve) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.opened:
	default:
		close(v.opened)
	}
}

// pass waits until the valve is open or closed is.
func (v *valve) pass(closed <-chan struct{}) {
	v.mu.Lock()
	opened := v.opened
	v.mu.Unlock()
	select {
	case <-opened:
	case <-closed:
	}
}
