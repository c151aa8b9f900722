package main

import (
	"context"
	"fmt"
	"io"
	"net"
)

const (
	// endless, in bytes, is more than a download takes while it is measured beside it.
	endless = 1 << 40

	// flowing, in bytes, is what a download has carried once it counts as running.
	flowing = 8 << 20

	// besideSize, in bytes, is what is downloaded beside a reader that has stopped.
	besideSize = 64 << 20
)

// begin begins a download through a contender; done ends it.
func begin(ctx context.Context, c *contender) (conn net.Conn, done func(), err error) {
	conn, done, err = open(ctx, c, portSend, transferTimeout)
	if err != nil {
		return nil, nil, err
	}
	if _, err = fmt.Fprintln(conn, int64(endless)); err == nil {
		_, err = io.CopyN(io.Discard, conn, flowing)
	}
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("begin a download: %w", err)
	}
	return conn, done, nil
}

// besideDownload measures requests on new connections, one at a time, while another
// connection carries as much as it can.
func besideDownload(n int, p50 *figure) trial {
	return trial{
		name:    "request beside a download",
		figures: []*figure{p50},
		run: func(ctx context.Context, c *contender) ([]float64, error) {
			conn, done, err := begin(ctx, c)
			if err != nil {
				return nil, err
			}
			ended := make(chan struct{})
			go func() { // until done
				defer close(ended)
				_, _ = io.CopyBuffer(onlyWriter{io.Discard}, conn, make([]byte, blockSize))
			}()
			took, err := requests(ctx, c, n, 1)
			done()
			<-ended
			return []float64{percentile(took, 50)}, err
		},
	}
}

// besideStopped measures requests and a download while a program does not read what a
// connection brings; through the contender without, while there is none.
func besideStopped(n int, p50, speed *figure) trial {
	return trial{
		name:    "beside a stopped reader",
		figures: []*figure{p50, speed},
		times:   2,
		run: func(ctx context.Context, c *contender) ([]float64, error) {
			if c.name != without {
				_, done, err := begin(ctx, c)
				if err != nil {
					return nil, err
				}
				defer done()
				if err := pause(ctx, settle); err != nil { // until nothing more of it comes
					return nil, err
				}
			}
			took, err := requests(ctx, c, n, 1)
			if err != nil {
				return nil, err
			}
			elapsed, err := download(ctx, c, besideSize)
			return []float64{percentile(took, 50), besideSize / elapsed.Seconds() / mega}, err
		},
	}
}
