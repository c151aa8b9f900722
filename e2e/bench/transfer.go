package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/devtun/devtun/e2e/testserver/content"
)

const (
	// transferTimeout bounds one transfer; connTimeout one small exchange.
	transferTimeout = time.Minute
	connTimeout     = 30 * time.Second

	blockSize = 256 << 10 // of reads and writes, in bytes
)

// open connects to a port of the pod, for an exchange that has to end within
// timeout, and before ctx.
func open(ctx context.Context, c *contender, port int, timeout time.Duration) (conn net.Conn, done func(), err error) {
	conn, err = c.dial(ctx, port)
	if err != nil {
		return nil, nil, err
	}
	conn.SetDeadline(time.Now().Add(timeout))
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return conn, func() { stop(); conn.Close() }, nil
}

// transfer moves n bytes and tells how long it took, connecting included.
type transfer func(ctx context.Context, c *contender, n int64) (time.Duration, error)

// download takes bytes from the pod on a connection of its own.
func download(ctx context.Context, c *contender, n int64) (time.Duration, error) {
	began := time.Now()
	conn, done, err := open(ctx, c, portSend, transferTimeout)
	if err != nil {
		return 0, err
	}
	defer done()
	if _, err := fmt.Fprintln(conn, n); err != nil {
		return 0, err
	}
	block := make([]byte, blockSize)
	for got := int64(0); got < n; {
		part, err := conn.Read(block)
		if got += int64(part); err != nil && got < n {
			return 0, fmt.Errorf("answer ends after %d bytes of %d: %w", got, n, err)
		}
	}
	return time.Since(began), nil
}

// upload gives zeros to the pod, which counts and hashes them.
func upload(ctx context.Context, c *contender, n int64) (time.Duration, error) {
	want := received(n)
	began := time.Now()
	conn, done, err := open(ctx, c, portReceive, transferTimeout)
	if err != nil {
		return 0, err
	}
	defer done()
	if _, err := fmt.Fprintln(conn, n); err != nil {
		return 0, err
	}
	if _, err := io.CopyBuffer(onlyWriter{conn}, io.LimitReader(zeros{}, n), make([]byte, blockSize)); err != nil {
		return 0, err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("read answer: %w", err)
	}
	if answer != want {
		return 0, fmt.Errorf("the pod got something else: %q instead of %q", answer, want)
	}
	return time.Since(began), nil
}

// intoCluster moves bytes from this machine to the cluster, whichever of the two
// has the client.
func intoCluster(ctx context.Context, c *contender, n int64) (time.Duration, error) {
	if c.inverted {
		return download(ctx, c, n)
	}
	return upload(ctx, c, n)
}

// outOfCluster moves bytes the other way.
func outOfCluster(ctx context.Context, c *contender, n int64) (time.Duration, error) {
	if c.inverted {
		return upload(ctx, c, n)
	}
	return download(ctx, c, n)
}

// several makes a transfer of one on several connections at once, which share
// its bytes.
func several(conns int, move transfer) transfer {
	return func(ctx context.Context, c *contender, n int64) (time.Duration, error) {
		began := time.Now()
		group, ctx := errgroup.WithContext(ctx)
		for range conns {
			group.Go(func() error {
				_, err := move(ctx, c, n/int64(conns))
				return err
			})
		}
		err := group.Wait()
		return time.Since(began), err
	}
}

// echo sends bytes that do not repeat both ways at once, and checks them.
func echo(ctx context.Context, c *contender, n int64) error {
	conn, done, err := open(ctx, c, portEcho, transferTimeout)
	if err != nil {
		return err
	}
	defer done()
	return exchange(conn, n)
}

// exchange is echo on a connection that stands. It closes the connection if it
// fails.
func exchange(conn net.Conn, n int64) error {
	var sending errgroup.Group
	sending.Go(func() error {
		_, err := io.CopyBuffer(onlyWriter{conn}, content.Reader(1, n), make([]byte, blockSize))
		return err
	})
	sum := sha256.New()
	_, err := io.CopyN(sum, conn, n)
	if err != nil {
		conn.Close() // or the sender would never end
	}
	if sendErr := sending.Wait(); err == nil {
		err = sendErr
	}
	if err != nil {
		return fmt.Errorf("echo %d bytes: %w", n, err)
	}
	if got, want := hex.EncodeToString(sum.Sum(nil)), content.Hash(1, n); got != want {
		return fmt.Errorf("echo %d bytes: hash %s instead of %s", n, got, want)
	}
	return nil
}

// zeros is an endless reader of them.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// received is what the pod answers to so many zeros: their hash and number.
func received(n int64) string {
	sum := sha256.New()
	_, _ = io.CopyN(sum, zeros{}, n) // neither end can fail
	return fmt.Sprintf("%x %d\n", sum.Sum(nil), n)
}

// onlyWriter hides ReadFrom, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }
