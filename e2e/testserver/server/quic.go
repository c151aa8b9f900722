package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// QUICProtocol is the one that echoQUIC speaks, for TLS's ALPN.
const QUICProtocol = "devtun-echo"

// echoQUIC sends all of a stream back, and ends it when it has ended. Its certificate
// is nobody's.
func echoQUIC(ctx context.Context, conn *net.UDPConn) error {
	defer conn.Close()
	certificate, err := selfSigned()
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	transport := &quic.Transport{Conn: conn}
	defer func() { _ = transport.Close() }()
	listener, err := transport.Listen(&tls.Config{Certificates: []tls.Certificate{certificate},
		NextProtos: []string{QUICProtocol}}, nil)
	if err != nil {
		return err
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	defer context.AfterFunc(ctx, func() { _ = transport.Close() })() // which ends all connections
	for {
		client, err := listener.Accept(ctx)
		if ctx.Err() != nil || errors.Is(err, quic.ErrServerClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		serving.Go(func() { echoStreams(ctx, client) })
	}
}

// echoStreams returns when the connection has ended.
func echoStreams(ctx context.Context, client *quic.Conn) {
	var echoing sync.WaitGroup
	defer echoing.Wait()
	for {
		stream, err := client.AcceptStream(ctx)
		if err != nil {
			return
		}
		echoing.Go(func() {
			if _, err := io.Copy(stream, stream); err == nil {
				_ = stream.Close()
			}
		})
	}
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: key}, err
}
