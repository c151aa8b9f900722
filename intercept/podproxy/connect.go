package podproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync"
)

// errOver means that the link has ended.
var errOver = errors.New("the link has ended")

// add makes a connection, and gives it to the link.
func (k *keeper) add(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, attemptTimeout, errNoAnswer)
	defer cancel()
	conn, err := k.connect(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("connect through the pod proxy: %w", err)
	}
	conn.end = sync.OnceFunc(func() {
		select {
		case k.ended <- struct{}{}:
		default: // nobody keeps it any more
		}
	})
	if err := k.link.Add(conn); err != nil {
		return fmt.Errorf("%w: %w", errOver, err)
	}
	k.conns++
	return nil
}

// connect makes a connection, up to the agent's word that it is welcome.
func (k *keeper) connect(ctx context.Context) (*secured, error) {
	raw, err := k.dial(ctx, k.port)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	config := k.own.config(k.agent)
	config.ServerName = serverName(k.own.public)
	under := &batched{Conn: stream{raw}}
	client := tls.Client(under, config)
	err = client.HandshakeContext(ctx)
	if err != nil {
		err = fmt.Errorf("shake hands: %w", err)
	} else {
		err = welcomed(client)
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return &secured{tls: client, conn: under}, nil
}

// welcomed waits for the agent's word that it knows the session's key.
func welcomed(conn io.Reader) error {
	var answer [1]byte
	_, err := io.ReadFull(conn, answer[:])
	switch {
	case err != nil:
		return fmt.Errorf("await welcome: %w", err)
	case answer[0] != welcome:
		return fmt.Errorf("await welcome: unexpected answer %#x", answer[0])
	}
	return nil
}
