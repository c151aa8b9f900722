package relay

import (
	"cmp"
	"context"
	"net"
	"sync"
	"time"
)

const (
	// dialTimeout bounds the attempts to connect to one host.
	dialTimeout = 2 * time.Second

	// nextAfter is how long one address is tried before the next is as well. A pod
	// that has just gone may not even refuse.
	nextAfter = 250 * time.Millisecond
)

// Dialer connects to an address, host:port, as net.Dialer.DialContext does.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Any connects to the first address that answers, each being tried when the one
// before has failed or is slow.
func (dial Dialer) Any(ctx context.Context, network string, addresses []string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	if len(addresses) == 1 {
		defer cancel()
		return dial(ctx, network, addresses[0])
	}
	type dialled struct {
		conn net.Conn
		err  error
	}
	var dialling sync.WaitGroup
	defer dialling.Wait()
	defer cancel()
	results := make(chan dialled)
	var first error
	for begun, pending := 0, 0; begun < len(addresses) || pending > 0; {
		var slow <-chan time.Time
		if begun < len(addresses) {
			address := addresses[begun]
			begun++
			pending++
			dialling.Go(func() {
				conn, err := dial(ctx, network, address)
				select {
				case results <- dialled{conn, err}:
				case <-ctx.Done(): // another one was quicker, or all are too slow
					if conn != nil {
						conn.Close()
					}
				}
			})
			timer := time.NewTimer(nextAfter)
			defer timer.Stop()
			slow = timer.C
		}
		select {
		case result := <-results:
			pending--
			if result.err == nil {
				return result.conn, nil
			}
			first = cmp.Or(first, result.err)
		case <-slow:
		case <-ctx.Done():
			return nil, cmp.Or(first, ctx.Err())
		}
	}
	return nil, first
}
