package apiserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// Stage is how far a request has come.
type stage int32

const (
	resolving stage = iota
	connecting
	handshaking
	asking
)

// Meeting is what came of the first request to an API server.
type Meeting struct {
	Server *url.URL
	Proxy  *url.URL // on the way; nil: none
	Err    error    // why nothing has answered; nil: something has
	Status int      // of the answer

	// Offset is how far the server's clock is ahead of this one, to about half a second.
	Offset time.Duration
	dated  bool
	// ValidFrom and ValidUntil are the times within which its certificate is valid; zero
	// without one.
	ValidFrom, ValidUntil time.Time
	// Untrusted is why its certificate is not trusted, by the server's clock where that is
	// known; nil if it is.
	Untrusted error

	stage stage // that it has come to, for Err
}

// NoDate is why there is no Offset; nil if there is.
func (m *Meeting) NoDate() error {
	switch {
	case m.Err != nil:
		return errors.New("the API server does not answer")
	case !m.dated:
		return errors.New("the API server says no date")
	}
	return nil
}

// Meet asks the API server that config leads to for its version, without credentials.
func Meet(ctx context.Context, config *rest.Config) *Meeting {
	m := &Meeting{}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		m.Err = err
		return m
	}
	m.Server = base
	anonymous := rest.AnonymousClientConfig(config)
	settings, err := anonymous.TransportConfig()
	if err != nil {
		m.Err = err
		return m
	}
	trust, err := transport.TLSConfigFor(settings)
	if err != nil {
		m.Err = err
		return m
	}
	through := anonymous.Proxy
	if through == nil {
		through = http.ProxyFromEnvironment
	}
	client := &http.Transport{Proxy: through, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	if trust != nil {
		client.TLSClientConfig.ServerName = trust.ServerName
	}
	defer client.CloseIdleConnections()
	m.ask(ctx, client, trust)
	return m
}

// ask sends the request by client. trust says which certificates are good; nil for none.
func (m *Meeting) ask(ctx context.Context, client *http.Transport, trust *tls.Config) {
	var at atomic.Int32
	trace := &httptrace.ClientTrace{
		ConnectStart:      func(string, string) { at.Store(int32(connecting)) },
		TLSHandshakeStart: func() { at.Store(int32(handshaking)) },
		WroteRequest:      func(httptrace.WroteRequestInfo) { at.Store(int32(asking)) },
	}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodGet,
		m.Server.JoinPath("version").String(), nil)
	if err != nil {
		m.Err = err
		return
	}
	if m.Proxy, err = client.Proxy(request); err != nil {
		m.Err = fmt.Errorf("read the proxy's address: %w", err)
		return
	}
	begun := time.Now()
	response, err := client.RoundTrip(request)
	m.stage = stage(at.Load())
	if err != nil {
		m.Err = err
		return
	}
	defer response.Body.Close()
	now := begun.Add(time.Since(begun) / 2)
	m.Status = response.StatusCode
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		// It is cut to whole seconds.
		m.dated, m.Offset = true, date.Add(500*time.Millisecond).Sub(now).Round(100*time.Millisecond)
	}
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		chain := response.TLS.PeerCertificates
		m.ValidFrom, m.ValidUntil = chain[0].NotBefore, chain[0].NotAfter
		m.Untrusted = m.verify(chain, trust, now)
	}
}

// verify checks a chain of certificates at a time, or at the server's where that is known.
func (m *Meeting) verify(chain []*x509.Certificate, trust *tls.Config, now time.Time) error {
	if trust != nil && trust.InsecureSkipVerify {
		return nil
	}
	options := x509.VerifyOptions{DNSName: m.Server.Hostname(), CurrentTime: now.Add(m.Offset),
		Intermediates: x509.NewCertPool()}
	if trust != nil {
		options.Roots = trust.RootCAs
		if trust.ServerName != "" {
			options.DNSName = trust.ServerName
		}
	}
	for _, certificate := range chain[1:] {
		options.Intermediates.AddCert(certificate)
	}
	_, err := chain[0].Verify(options)
	return err
}

// timedOut reports that an error is only that time was up.
func timedOut(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}
