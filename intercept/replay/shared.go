package replay

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/devtun/devtun/intercept/look"
)

// shared sends HTTP/2 requests, by connections that they share.
type shared struct{ transport *http.Transport }

// newShared has the transport dial the agent's port that a URL's host is.
func newShared(dial Dial) shared {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true) // with prior knowledge
	return shared{&http.Transport{
		Protocols:          &protocols,
		DisableCompression: true, // it would add a header
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			number, err := strconv.Atoi(port)
			if err != nil {
				return nil, err
			}
			return dial(ctx, number)
		},
	}}
}

func (s shared) close() { s.transport.CloseIdleConnections() }

// send sends a request, and drops the answer.
func (s shared) send(ctx context.Context, port int, copied *look.Reader) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alive := time.AfterFunc(Quiet, func() { cancel(errQuiet) })
	defer alive.Stop()
	request, err := requestOf(ctx, port, copied)
	if err != nil {
		return err
	}
	answer, err := s.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(alarm{alive}, answer.Body)
	return err
}

// alarm drops what is written, and puts off the time to give up.
type alarm struct{ *time.Timer }

func (a alarm) Write(p []byte) (int, error) {
	a.Reset(Quiet)
	return len(p), nil
}

// requestOf is a copy as the transport wants it. Fields that it computes itself are left
// to it, as they were computed from the same.
func requestOf(ctx context.Context, port int, copied *look.Reader) (*http.Request, error) {
	target := "http://" + net.JoinHostPort("copy", strconv.Itoa(port))
	request, err := http.NewRequestWithContext(ctx, copied.Method, target, nil)
	if err != nil {
		return nil, err
	}
	if request.URL.Opaque, err = opaque(copied.Target); err != nil {
		return nil, err
	}
	request.Host = copied.Authority
	request.Header = http.Header{"User-Agent": nil} // the transport has one, if there is none
	request.Body = &body{Reader: copied, of: request}
	request.ContentLength = -1
	if copied.Extended != "" {
		request.Header[":protocol"] = []string{copied.Extended}
	}
	for _, f := range copied.Fields() {
		switch name := http.CanonicalHeaderKey(f.Name); name {
		case "Content-Length":
			if request.ContentLength, err = strconv.ParseInt(f.Value, 10, 64); err != nil {
				return nil, err
			}
		case "Trailer":
			declareTrailer(request, f.Value)
		default:
			request.Header[name] = append(request.Header[name], f.Value)
		}
	}
	if request.ContentLength == 0 || request.ContentLength < 0 && copied.IsEmpty() {
		request.Body, request.ContentLength = http.NoBody, 0
	}
	return request, nil
}

// opaque has the URL send a :path as it came.
func opaque(path string) (string, error) {
	if _, err := url.ParseRequestURI(path); err != nil && path != "*" {
		return "", err
	}
	return path, nil
}

func declareTrailer(request *http.Request, names string) {
	request.Trailer = make(http.Header)
	for name := range strings.SplitSeq(names, ",") {
		request.Trailer[http.CanonicalHeaderKey(strings.TrimSpace(name))] = nil
	}
}

// body is a copy's body; at its end the trailer is known.
type body struct {
	*look.Reader
	of *http.Request
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		for _, f := range b.Trailer {
			if name := http.CanonicalHeaderKey(f.Name); b.of.Trailer != nil {
				b.of.Trailer[name] = append(b.of.Trailer[name], f.Value)
			}
		}
	}
	return n, err
}

func (b *body) Close() error { return nil }
