package probe

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// maxPeers is how many connections of other pods are served at a time.
	maxPeers = 256
	// peerTimeout bounds each of them.
	peerTimeout = 2 * Limit
)

// greet has another probe take size bytes and send them back: who asks says the token and
// the size, big-endian in four bytes, and then the bytes.
func greet(conn net.Conn, token string, size int) error {
	message := binary.BigEndian.AppendUint32([]byte(token), uint32(size))
	if _, err := conn.Write(append(message, make([]byte, size)...)); err != nil {
		return err
	}
	answer := make([]byte, 1+size)
	if n, err := io.ReadFull(conn, answer); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return errors.New("it is no probe of this run")
		}
		return err
	}
	return nil
}

// servePeers answers other probes until ctx ends, and returns when all have ended.
func servePeers(ctx context.Context, listener net.Listener, token string) {
	var serving sync.WaitGroup
	defer serving.Wait()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	places := make(chan struct{}, maxPeers)
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // of one connection
			continue
		}
		select {
		case places <- struct{}{}:
		default: // enough
			conn.Close()
			continue
		}
		serving.Go(func() {
			defer func() { <-places }()
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			answerPeer(conn, token)
		})
	}
}

func answerPeer(conn net.Conn, token string) {
	head := make([]byte, len(token)+4)
	if conn.SetDeadline(time.Now().Add(peerTimeout)) != nil {
		return
	}
	if _, err := io.ReadFull(conn, head); err != nil {
		return
	}
	size := binary.BigEndian.Uint32(head[len(token):])
	if subtle.ConstantTimeCompare(head[:len(token)], []byte(token)) == 0 || size > maxSize {
		return
	}
	if _, err := io.CopyN(io.Discard, conn, int64(size)); err != nil {
		return
	}
	_, _ = conn.Write(make([]byte, 1+size)) // a failure is what the other one sees
}
