package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/devtun/devtun/e2e/testserver/content"
)

func serveHTTP(ctx context.Context, listener net.Listener) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:           httpHandler(),
		Protocols:         &protocols,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       10 * time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}

	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), ShutdownTimeout)
	defer cancel()
	if server.Shutdown(last) != nil {
		server.Close() // those who would not end
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func httpHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /who", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, hostname()) })
	mux.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /bytes", sendBytes)
	mux.HandleFunc("PUT /hash", hashBody)
	mux.HandleFunc("POST /hash", hashBody)
	mux.HandleFunc("GET /slow", slow)
	mux.HandleFunc("GET /ws", echoMessages)
	mux.HandleFunc("GET /variables", tellVariables)
	s := &store{keys: make(map[int]bool)}
	mux.HandleFunc("GET /keys", s.count)
	mux.HandleFunc("POST /keys", s.add)
	return mux
}

// sendBytes sends n bytes of content; seed chooses which.
func sendBytes(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.FormValue("n"), 10, 64)
	if err != nil || n < 0 {
		http.Error(w, "n: want a number of bytes", http.StatusBadRequest)
		return
	}
	var seed uint64
	if text := r.FormValue("seed"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			http.Error(w, "seed: want a number", http.StatusBadRequest)
			return
		}
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	_, _ = io.CopyBuffer(onlyWriter{w}, content.Reader(seed, n), make([]byte, 256<<10)) // or the client has gone
}

// hashBody answers with hash and length of the body.
func hashBody(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	n, err := io.CopyBuffer(sum, onlyReader{r.Body}, make([]byte, 256<<10))
	if err != nil {
		http.Error(w, fmt.Sprintf("read body: %v", err), http.StatusBadRequest)
		return
	}
	report(w, sum, n)
}

// slow answers after d, such as 250ms.
func slow(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.FormValue("d"))
	if err != nil {
		http.Error(w, "d: want a duration", http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(d):
		fmt.Fprintf(w, "slept %v\n", d)
	case <-r.Context().Done():
	}
}

// echoMessages is a WebSocket that sends every message back.
func echoMessages(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	defer conn.Close()
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if err := conn.WriteMessage(kind, message); err != nil {
			return
		}
	}
}

// onlyWriter hides ReadFrom, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }
