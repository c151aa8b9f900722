package wire

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/devtun/devtun/tunnel/duplex"
)

// BenchmarkStream carries bulk on one stream, each way, at a distance.
func BenchmarkStream(b *testing.B) {
	for _, roundTrip := range []time.Duration{0, 50 * time.Millisecond} {
		for _, up := range []bool{true, false} {
			b.Run(fmt.Sprintf("%v/toDeveloper=%v", roundTrip, up), func(b *testing.B) {
				at, far := distant(b, roundTrip)
				if !up {
					at, far = far, at
				}
				const chunk = 64 << 10
				b.SetBytes(chunk)
				var sending sync.WaitGroup
				sending.Go(func() {
					buffer := make([]byte, chunk)
					for range b.N {
						at.Write(buffer)
					}
				})
				if _, err := io.CopyN(io.Discard, far, int64(b.N)*chunk); err != nil {
					b.Fatal(err)
				}
				sending.Wait()
			})
		}
	}
}

// BenchmarkSmallWrites carries 1 KiB writes on eight streams at a time.
func BenchmarkSmallWrites(b *testing.B) {
	agent, streams := pair(b)
	b.SetBytes(8 << 10)
	var all sync.WaitGroup
	for range 8 {
		at, far := open(b, agent, streams)
		all.Go(func() {
			for range b.N {
				at.Write(make([]byte, 1<<10))
			}
		})
		all.Go(func() { io.CopyN(io.Discard, far, int64(b.N)<<10) })
	}
	all.Wait()
}

// BenchmarkOpen opens streams, fifty at a time, exchanges a byte and ends them.
func BenchmarkOpen(b *testing.B) {
	agent, streams := pair(b)
	b.SetParallelism(25)
	ctx, stop := context.WithCancel(b.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			select {
			case far := <-streams:
				serving.Go(func() { io.Copy(far, far); far.CloseWrite() })
			case <-ctx.Done():
				return
			}
		}
	})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			at, err := agent.Open(ctx, Opening{Kind: KindConnection})
			if err != nil {
				b.Error(err)
				return
			}
			at.Write([]byte{1})
			at.CloseWrite()
			io.Copy(io.Discard, at)
		}
	})
	stop()
	serving.Wait()
}

// distant is a stream between ends that are so far apart.
func distant(b *testing.B, roundTrip time.Duration) (at, far *Stream) {
	developerSide, c := connect(b)
	d, agentSide := connect(b)
	go delay(c, d, roundTrip/2)
	go delay(d, c, roundTrip/2)
	developer, agent := greet(b, developerSide, agentSide)
	opened := make(chan *Stream, 1)
	run(b, developer, agent, Handler{Stream: func(ctx context.Context, _ Opening, stream *Stream) {
		opened <- stream
		<-ctx.Done()
	}}, Handler{})
	at, err := agent.Open(b.Context(), Opening{Kind: KindConnection})
	if err != nil {
		b.Fatal(err)
	}
	return at, <-opened
}

// delay carries what it reads, each byte so much later.
func delay(from, to duplex.TCP, by time.Duration) {
	type chunk struct {
		due  time.Time
		data []byte
	}
	line := make(chan chunk, 10_000)
	defer close(line)
	go func() {
		defer to.Close()
		for c := range line {
			time.Sleep(time.Until(c.due))
			to.Write(c.data)
		}
	}()
	for {
		buffer := make([]byte, 64<<10)
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		line <- chunk{time.Now().Add(by), buffer[:n]}
	}
}
