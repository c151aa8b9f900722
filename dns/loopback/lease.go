package loopback

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
)

// attempts bounds the probing of Assign. With a million of the sixteen million
// addresses taken, all of 64 attempts fail once in 10^77.
const attempts = 64

// leaseFiles is over how many files the addresses are spread. The kernel looks through all
// locks of a file for each new one, which takes a fifth of a second for five thousand.
const leaseFiles = 16

// Leases keeps sessions, also those of different users, from holding one
// address twice. It is files whose bytes are never written: holding the
// address 127.b.c.d is holding a lock on the byte at offset b.c.d of one of them. The kernel
// drops the locks of a process however it ends, so no lease outlives its
// session and there is nothing to clean.
//
// Every session opens Leases of its own and is its owner; it is safe for
// concurrent use.
type Leases struct {
	path string

	mu    sync.Mutex
	files [leaseFiles]*os.File // nil: not needed yet; all nil once closed
	held  map[netip.Addr]bool
}

// OpenLeases opens the lease files, making those that are missing: the first one now. The
// path is DefaultLeases except in tests.
func OpenLeases(path string) (*Leases, error) {
	l := &Leases{path: path, held: make(map[netip.Addr]bool)}
	var err error
	if l.files[0], err = openLeaseFile(path); err != nil {
		return nil, fmt.Errorf("open leases: %w", err)
	}
	return l, nil
}

// fileOf is the file that has an address's lock.
func (l *Leases) fileOf(addr netip.Addr) (*os.File, error) {
	if l.files[0] == nil {
		return nil, os.ErrClosed
	}
	i := leaseOffset(addr) % leaseFiles
	if l.files[i] == nil {
		var err error
		if l.files[i], err = openLeaseFile(fmt.Sprintf("%s.%d", l.path, i)); err != nil {
			return nil, err
		}
	}
	return l.files[i], nil
}

// Take leases addr and reports whether it did: not when another session holds
// it, nor when this one does already.
func (l *Leases) Take(addr netip.Addr) (bool, error) {
	if err := Check(addr); err != nil {
		return false, fmt.Errorf("lease address: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	file, err := l.fileOf(addr)
	if err != nil {
		return false, fmt.Errorf("lease address %s: %w", addr, err)
	}
	if l.held[addr] {
		return false, nil
	}
	ok, err := lockByte(file, leaseOffset(addr))
	if err != nil {
		return false, fmt.Errorf("lease address %s: %w", addr, err)
	}
	if ok {
		l.held[addr] = true
	}
	return ok, nil
}

// Release ends the lease of addr; one that this session does not hold is fine.
func (l *Leases) Release(addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held[addr] {
		return nil
	}
	file, err := l.fileOf(addr)
	if err == nil {
		err = unlockByte(file, leaseOffset(addr))
	}
	if err != nil {
		return fmt.Errorf("release address %s: %w", addr, err)
	}
	delete(l.held, addr)
	return nil
}

// Assign leases the first free one of the addresses that key leads to. The
// same key gives the same address on every run while nobody else holds it.
func (l *Leases) Assign(key string) (netip.Addr, error) {
	for attempt := range attempts {
		addr := Address(key, attempt)
		ok, err := l.Take(addr)
		if err != nil {
			return netip.Addr{}, err
		}
		if ok {
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("assign address: the first %d are all in use", attempts)
}

// Close ends all leases.
func (l *Leases) Close() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.held)
	for i, file := range l.files {
		if file != nil {
			err = errors.Join(err, file.Close())
			l.files[i] = nil
		}
	}
	return err
}

// leaseOffset is the byte of its lease file that stands for addr.
func leaseOffset(addr netip.Addr) int64 {
	b := addr.As4()
	return int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
}
