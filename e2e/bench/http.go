package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// asker is a client with one connection, which it keeps.
type asker interface {
	// ask sends a request with so many bytes of body, zeros, and returns the answer,
	// whose body is read to its end before the next one.
	ask(ctx context.Context, method, target string, body int64) (*http.Response, error)
}

// dialer opens a client's connection, for less than transferTimeout; done closes it.
type dialer func(ctx context.Context, c *contender) (client asker, done func(), err error)

// http1 speaks HTTP/1.1.
type http1 struct {
	conn net.Conn
	in   *bufio.Reader
}

func dialHTTP1(ctx context.Context, c *contender) (asker, func(), error) {
	conn, done, err := open(ctx, c, portHTTP, transferTimeout)
	if err != nil {
		return nil, nil, err
	}
	return newHTTP1(conn), done, nil
}

func newHTTP1(conn net.Conn) *http1 { return &http1{conn, bufio.NewReader(conn)} }

func (h *http1) ask(_ context.Context, method, target string, body int64) (*http.Response, error) {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, serviceName)
	if body > 0 {
		head += fmt.Sprintf("Content-Length: %d\r\n", body)
	}
	if _, err := io.WriteString(h.conn, head+"\r\n"); err != nil {
		return nil, fmt.Errorf("send request: %w", err)
	}
	if body > 0 {
		content := io.LimitReader(zeros{}, body)
		if _, err := io.CopyBuffer(onlyWriter{h.conn}, content, make([]byte, blockSize)); err != nil {
			return nil, fmt.Errorf("send body: %w", err)
		}
	}
	answer, err := http.ReadResponse(h.in, &http.Request{Method: method})
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return answer, nil
}

// h2c speaks HTTP/2 with prior knowledge.
type h2c struct{ http.Client }

func dialH2C(_ context.Context, c *contender) (asker, func(), error) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := &h2c{http.Client{Timeout: transferTimeout, Transport: &http.Transport{
		Protocols:       &protocols,
		MaxConnsPerHost: 1,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.dial(ctx, portHTTP) // with the first request
		},
	}}}
	return client, client.CloseIdleConnections, nil
}

func (h *h2c) ask(ctx context.Context, method, target string, body int64) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+serviceName+target, nil)
	if err != nil {
		return nil, err
	}
	if body > 0 {
		request.Body, request.ContentLength = io.NopCloser(io.LimitReader(zeros{}, body)), body
	}
	return h.Do(request)
}

// who asks who is there, and fails unless it is whom the contender leads to.
func who(ctx context.Context, client asker, c *contender) error {
	answer, err := client.ask(ctx, http.MethodGet, "/who", 0)
	if err != nil {
		return err
	}
	return expect(answer, c.answer+"\n")
}

// expect reads an answer to its end, and fails unless it is the one that is wanted.
func expect(answer *http.Response, want string) error {
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK || string(body) != want {
		return fmt.Errorf("wrong answer: %s: %q", answer.Status, body)
	}
	return nil
}

// put gives zeros to the pod as a request's body; want is the answer.
func put(ctx context.Context, client asker, n int64, want string) error {
	answer, err := client.ask(ctx, http.MethodPut, "/hash", n)
	if err != nil {
		return err
	}
	return expect(answer, want)
}

// get takes so many bytes from the pod as an answer's body.
func get(ctx context.Context, client asker, n int64) error {
	answer, err := client.ask(ctx, http.MethodGet, fmt.Sprintf("/bytes?n=%d", n), 0)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.CopyBuffer(onlyWriter{io.Discard}, answer.Body, make([]byte, blockSize))
	if err == nil && (answer.StatusCode != http.StatusOK || got != n) {
		err = fmt.Errorf("wrong answer: %s, %d bytes of %d", answer.Status, got, n)
	}
	return err
}

// putting makes a transfer of one put on a connection of its own.
func putting(dial dialer) transfer {
	return func(ctx context.Context, c *contender, n int64) (time.Duration, error) {
		want := received(n)
		began := time.Now()
		client, done, err := dial(ctx, c)
		if err != nil {
			return 0, err
		}
		defer done()
		err = put(ctx, client, n, want)
		return time.Since(began), err
	}
}

// getting makes a transfer of one get on a connection of its own.
func getting(dial dialer) transfer {
	return func(ctx context.Context, c *contender, n int64) (time.Duration, error) {
		began := time.Now()
		client, done, err := dial(ctx, c)
		if err != nil {
			return 0, err
		}
		defer done()
		err = get(ctx, client, n)
		return time.Since(began), err
	}
}

// keptRequests measures small requests, one after the other on a connection that is
// kept, in milliseconds.
func keptRequests(name string, dial dialer, n int, p50, p99 *figure) trial {
	return trial{
		name:    name,
		figures: []*figure{p50, p99},
		run: func(ctx context.Context, c *contender) ([]float64, error) {
			client, done, err := dial(ctx, c)
			if err != nil {
				return nil, err
			}
			defer done()
			took, err := timed(n, func() error { return who(ctx, client, c) })
			return []float64{percentile(took, 50), percentile(took, 99)}, err
		},
	}
}

// timed does something once to begin with, and then n times more, and returns what each
// of these took, in milliseconds.
func timed(n int, do func() error) ([]float64, error) {
	took := make([]float64, 0, n)
	if err := do(); err != nil {
		return nil, err
	}
	for range n {
		began := time.Now()
		if err := do(); err != nil {
			return nil, err
		}
		took = append(took, milliseconds(time.Since(began)))
	}
	return took, nil
}
