package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// request is a client that connects, asks, reads the answer and closes. It
// returns the time from the first to the last.
func request(ctx context.Context, c *contender) (time.Duration, error) {
	began := time.Now()
	conn, done, err := open(ctx, c, portHTTP, connTimeout)
	if err != nil {
		return 0, err
	}
	defer done()
	if _, err := io.WriteString(conn, "GET /who HTTP/1.1\r\nHost: testserver\r\nConnection: close\r\n\r\n"); err != nil {
		return 0, fmt.Errorf("send request: %w", err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, fmt.Errorf("read answer: %w", err)
	}
	if err := expect(answer, c.answer+"\n"); err != nil {
		return 0, err
	}
	done() // counts, too
	return time.Since(began), nil
}

// requestBytes is a request for so many bytes.
func requestBytes(size int64) ask {
	return func(ctx context.Context, c *contender) (time.Duration, error) {
		began := time.Now()
		client, done, err := dialHTTP1(ctx, c)
		if err != nil {
			return 0, err
		}
		defer done()
		err = get(ctx, client, size)
		return time.Since(began), err
	}
}

// ask asks on a connection of its own, and returns how long that took.
type ask func(context.Context, *contender) (time.Duration, error)

// requests runs n requests, so many at a time, and returns what each took, in
// milliseconds.
func requests(ctx context.Context, c *contender, n, atOnce int) ([]float64, error) {
	return asked(ctx, c, request, n, atOnce)
}

func asked(ctx context.Context, c *contender, how ask, n, atOnce int) ([]float64, error) {
	group, ctx := errgroup.WithContext(ctx)
	var left atomic.Int64
	left.Store(int64(n))
	var mu sync.Mutex
	took := make([]float64, 0, n)
	for range atOnce {
		group.Go(func() error {
			for left.Add(-1) >= 0 {
				elapsed, err := how(ctx, c)
				if err != nil {
					return err
				}
				mu.Lock()
				took = append(took, milliseconds(elapsed))
				mu.Unlock()
			}
			return nil
		})
	}
	err := group.Wait()
	return took, err
}

// newConnections measures requests on new connections: how many a second, and
// the time of each, in milliseconds.
func newConnections(name string, n, atOnce int, rate, p50, p99 *figure) trial {
	return trial{
		name:    name,
		figures: []*figure{rate, p50, p99},
		warm: func(ctx context.Context, c *contender) error {
			_, err := requests(ctx, c, 2*atOnce, atOnce)
			return err
		},
		run: func(ctx context.Context, c *contender) ([]float64, error) {
			began := time.Now()
			took, err := requests(ctx, c, n, atOnce)
			perSecond := float64(n) / time.Since(began).Seconds()
			return []float64{perSecond, percentile(took, 50), percentile(took, 99)}, err
		},
	}
}

// roundTrip measures a byte there and back on a connection that stands.
func roundTrip(name string, pings int, p50 *figure) trial {
	return trial{
		name:    name,
		figures: []*figure{p50},
		run: func(ctx context.Context, c *contender) ([]float64, error) {
			conn, done, err := open(ctx, c, portEcho, connTimeout)
			if err != nil {
				return nil, err
			}
			defer done()
			sent, back := []byte{0}, []byte{0}
			took, err := timed(pings, func() error {
				sent[0]++
				if _, err := conn.Write(sent); err != nil {
					return err
				}
				if _, err := io.ReadFull(conn, back); err != nil {
					return err
				}
				if sent[0] != back[0] {
					return fmt.Errorf("byte %d came back as %d", sent[0], back[0])
				}
				return nil
			})
			return []float64{percentile(took, 50)}, err
		},
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
