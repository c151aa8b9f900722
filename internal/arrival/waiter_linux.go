package arrival

import (
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// batch is how many listeners are told of at a time.
const batch = 128

// Waiter waits on listeners. Its methods may be called concurrently.
type Waiter struct {
	running sync.WaitGroup

	mu   sync.Mutex
	poll *os.File         // an epoll instance; nil: none was needed yet, or none is to be had
	come map[int32]func() // by the listener's descriptor
}

// New returns a waiter on nothing yet.
func New() *Waiter { return &Waiter{come: make(map[int32]func())} }

// Wait has come called once a connection waits to be accepted, and then no more. It must
// return soon: others wait for it. Until then, or Forget, the listener stays open and is
// not accepted from. Wait reports false if come will not be called.
func (w *Waiter) Wait(listener net.Listener, come func()) (waits bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.poll == nil && !w.start() {
		return false
	}
	control(listener, func(fd int) {
		w.come[int32(fd)] = come // before its event
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		waits = w.control(unix.EPOLL_CTL_ADD, fd, &event)
		if !waits {
			delete(w.come, int32(fd))
		}
	})
	return waits
}

// Forget ends the wait for a listener, whether there is one or not. Its come may still be
// under way.
func (w *Waiter) Forget(listener net.Listener) {
	w.mu.Lock()
	defer w.mu.Unlock()
	control(listener, func(fd int) {
		if w.poll != nil {
			w.control(unix.EPOLL_CTL_DEL, fd, nil)
		}
		delete(w.come, int32(fd))
	})
}

// Close ends all waiting, and returns when it is over.
func (w *Waiter) Close() {
	w.mu.Lock()
	if w.poll != nil {
		w.poll.Close()
	}
	w.mu.Unlock()
	w.running.Wait()
}

// start makes the epoll instance. Being one of the runtime's own in turn, it takes no thread.
func (w *Waiter) start() bool {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return false
	}
	w.poll = os.NewFile(uintptr(fd), "epoll")
	w.running.Go(w.run)
	return true
}

// run calls those to which connections come, until the epoll instance is closed.
func (w *Waiter) run() {
	conn, err := w.poll.SyscallConn()
	if err != nil {
		return
	}
	var events [batch]unix.EpollEvent
	for {
		n := 0
		err := conn.Read(func(fd uintptr) bool {
			n, err = unix.EpollWait(int(fd), events[:], 0)
			return n > 0
		})
		if err != nil {
			return
		}
		for _, event := range events[:n] {
			if come := w.take(event.Fd); come != nil {
				come()
			}
		}
	}
}

// take returns what is to be called, which Forget may have been faster to end.
func (w *Waiter) take(fd int32) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	come := w.come[fd]
	delete(w.come, fd)
	w.control(unix.EPOLL_CTL_DEL, int(fd), nil)
	return come
}

// control changes the epoll instance, and reports whether it did.
func (w *Waiter) control(operation, fd int, event *unix.EpollEvent) (done bool) {
	conn, err := w.poll.SyscallConn()
	if err != nil {
		return false
	}
	err = conn.Control(func(poll uintptr) { done = unix.EpollCtl(int(poll), operation, fd, event) == nil })
	return done && err == nil
}

// control has use called with a listener's descriptor, if it is open and has one.
func control(listener net.Listener, use func(fd int)) {
	of, ok := listener.(syscall.Conn)
	if !ok {
		return
	}
	conn, err := of.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) { use(int(fd)) }) // it is closed: there is nothing to wait for
}
