package stack

import (
	"io"
	"net"
	"sync"
	"testing"
)

// BenchmarkGoroutine writes once in a goroutine of its own, as a short connection does.
func BenchmarkGoroutine(b *testing.B) {
	near, far := net.Pipe()
	defer near.Close()
	go io.Copy(io.Discard, far)
	for name, begin := range map[string]func(){"grown": Grow, "as it comes": func() {}} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				var one sync.WaitGroup
				one.Go(func() { begin(); deep(20, near) })
				one.Wait()
			}
		})
	}
}

// deep calls write as far down as a copy does that goes through TLS and a multiplexer.
//
//go:noinline
func deep(frames int, to io.Writer) int {
	var local [128]byte
	if frames == 0 {
		n, _ := to.Write(local[:1])
		return n
	}
	return deep(frames-1, to) + int(local[frames])
}
