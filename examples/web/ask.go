package web

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// requestID is the one header that travels the whole way.
const requestID = "X-Request-Id"

const (
	dialTimeout = 3 * time.Second
	// answerTimeout lets a developer sit at a breakpoint in the next service.
	answerTimeout = 10 * time.Minute
	maxAnswer     = 64 << 10 // bytes
)

// A connection for each request lets a Service spread the requests over its
// pods.
var client = &http.Client{
	Timeout: answerTimeout,
	Transport: &http.Transport{
		DialContext:       (&net.Dialer{Timeout: dialTimeout}).DialContext,
		DisableKeepAlives: true,
	},
}

// Ask sends a GET request to url on behalf of r and returns the text of the
// answer. An answer other than 200 is an error that carries its text.
func Ask(r *http.Request, url string) (string, error) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, url, nil)
	if err != nil {
		return "", fmt.Errorf("make request: %w", err)
	}
	if id := r.Header.Get(requestID); id != "" {
		req.Header.Set(requestID, id)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("no answer: %w", err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("read answer of %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s from %s:\n%s", resp.Status, url, strings.TrimRight(string(said), "\n"))
	}
	return string(said), nil
}
