package plan

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/devtun/devtun/internal/pause"
)

// Doer sends an HTTP request with the credentials it needs. *http.Client is one,
// such as client-go's rest.HTTPClientFor makes.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Client speaks to an API server.
type Client struct {
	Doer Doer
	Base string // the server's URL

	// Timeout bounds one attempt of a request, beside what its body takes to be sent; 0
	// means attemptTimeout.
	Timeout time.Duration
}

const (
	attemptTimeout = 10 * time.Second
	firstPause     = 50 * time.Millisecond // between attempts; it doubles
	longestPause   = 2 * time.Second
	slowest        = 32 << 10 // bytes a second, at which a body still comes in time
	responseLimit  = 8 << 20  // bytes; objects are at most 3 MiB
)

// StatusError is a request that the API server refused.
type StatusError struct {
	Method, Path string
	Code         int    // of HTTP
	Reason       string // the API's: "Forbidden", "AlreadyExists", …
	Message      string
}

func (e *StatusError) Error() string {
	if e.Message != "" {
		return e.Message
	}
	return fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Code, http.StatusText(e.Code))
}

// refused reports that err is a StatusError of that HTTP code.
func refused(err error, code int) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == code
}

// forbidden reports that this client may not do what it asked for.
func forbidden(err error) bool { return refused(err, http.StatusForbidden) }

// send carries out a request and returns the body of the answer. What may pass
// (no connection, 429, 5xx) is tried again for as long as ctx lasts. A request
// whose answer got lost is thus sent twice; all of a plan's requests bear that.
func (c *Client) send(ctx context.Context, request Request) ([]byte, error) {
	backoff := newBackoff()
	for {
		answer, wait, err := c.attempt(ctx, request)
		if err == nil || wait < 0 {
			return answer, err
		}
		// Jitter: after an outage not everybody should be back at once.
		half := backoff.Next() / 2
		wait = max(wait, half+rand.N(half))
		if pause.Sleep(ctx, wait) != nil {
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

// Get reads what is at a path. The error is a *StatusError if the API server refuses it.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	return c.send(ctx, Request{Method: http.MethodGet, Path: path})
}

// newBackoff is the pauses between attempts.
func newBackoff() pause.Backoff { return pause.Backoff{Min: firstPause, Max: longestPause} }

// attempt sends a request once. After an error, wait is the least time before
// another attempt, negative if that would be no use.
func (c *Client) attempt(ctx context.Context, request Request) (answer []byte, wait time.Duration, err error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = attemptTimeout
	}
	timeout += time.Duration(len(request.Body)+request.answer) * time.Second / slowest
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	at := strings.TrimSuffix(c.Base, "/") + request.Path
	httpRequest, err := http.NewRequestWithContext(ctx, request.Method, at, bytes.NewReader(request.Body))
	if err != nil {
		return nil, -1, fmt.Errorf("make request: %w", err)
	}
	httpRequest.Header.Set("Accept", cmp.Or(request.accept, JSON))
	if request.ContentType != "" {
		httpRequest.Header.Set("Content-Type", request.ContentType)
	}
	response, err := c.Doer.Do(httpRequest)
	if err != nil {
		return nil, afterFailure(err), fmt.Errorf("reach the API server: %w", err)
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, responseLimit))
	if err != nil {
		return nil, 0, fmt.Errorf("read the API server's answer: %w", err)
	}
	if response.StatusCode/100 == 2 {
		return answer, 0, nil
	}
	status := &StatusError{Method: request.Method, Path: request.Path, Code: response.StatusCode}
	var said struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &said) == nil { // a proxy on the way may say anything
		status.Reason, status.Message = said.Reason, said.Message
	}
	return nil, afterRefusal(response), status
}

// afterFailure: everything may pass but a certificate that does not fit, and a login
// that somebody has to renew.
func afterFailure(err error) time.Duration {
	var certificate *tls.CertificateVerificationError
	var login interface{ NeedsLogin() bool }
	if errors.As(err, &certificate) || errors.As(err, &login) && login.NeedsLogin() {
		return -1
	}
	return 0
}

func afterRefusal(response *http.Response) time.Duration {
	if response.StatusCode != http.StatusTooManyRequests && response.StatusCode < 500 {
		return -1
	}
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longestPause)
}
