package web

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// drain is how long nobody must have asked before a pod that is told to end
	// stops to serve, and maxDrain bounds that: its address is withdrawn late from
	// a busy node, and clients that keep their connection are told, with the next
	// answer, to make another.
	drain    = 3 * time.Second
	maxDrain = 20 * time.Second // of the 30 s that a pod has to end
	// shutdownTimeout is what requests under way then have left.
	shutdownTimeout = 5 * time.Second
)

// Run serves handler at "/" until SIGTERM, which it obeys gently, or SIGINT,
// which it obeys at once. "/ready" is for the readiness probe.
func Run(addr string, handler http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	log.Printf("listening on %s", listener.Addr())

	stop := make(chan os.Signal, 2)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stop)
	return serve(listener, handler, stop)
}

func serve(listener net.Listener, handler http.Handler, stop <-chan os.Signal) error {
	var ending atomic.Bool
	asked := make(chan struct{}, 1)
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", logged(lastWhile(&ending, asked, handler)))
	mux.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})

	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      answerTimeout + 10*time.Second,
		IdleTimeout:       time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()

	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case sig := <-stop:
		log.Printf("%v: ending", sig)
		if sig == syscall.SIGTERM {
			ending.Store(true)
			untilQuiet(asked, stop)
		}
	}

	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// untilQuiet waits until nobody has asked for a while, or for a second signal: no
// more patience.
func untilQuiet(asked <-chan struct{}, stop <-chan os.Signal) {
	enough := time.After(maxDrain)
	for {
		select {
		case <-asked:
		case <-time.After(drain):
			return
		case <-enough:
			return
		case <-stop:
			return
		}
	}
}

// lastWhile has a connection end with its answer while the server is ending, and
// tells that it was asked: closing the connection between two requests would lose
// one that is on its way.
func lastWhile(ending *atomic.Bool, asked chan<- struct{}, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ending.Load() {
			w.Header().Set("Connection", "close")
			select {
			case asked <- struct{}{}:
			default: // it is known
			}
		}
		handler.ServeHTTP(w, r)
	})
}

func logged(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Printf("%s %s %s %s", r.RemoteAddr, r.Method, r.URL, r.Header.Get(requestID))
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		handler.ServeHTTP(w, r)
	})
}
