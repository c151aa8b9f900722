package agent

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/devtun/devtun/intercept/plan"
)

// ReadyPath is where the kubelet asks, on Config.ReadyPort, whether the agent is
// ready: 200, or 503 with the reason. Anybody who reaches the pod may ask; it says
// nothing else. A command as the probe would be a new process in the container each
// second: 0.15 s of a core where it was measured.
const ReadyPath = "/ready"

const (
	// readyTimeout bounds a question and its answer.
	readyTimeout = 2 * time.Second

	// maxQuestion, in bytes, bounds a question.
	maxQuestion = 4 << 10
)

// serveReady answers at listener until ctx ends, and returns when the last question
// has its answer.
func (a *Agent) serveReady(ctx context.Context, listener net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+ReadyPath, func(w http.ResponseWriter, _ *http.Request) {
		if why := a.unready(); why != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, why+"\n") // for whoever describes the pod
		}
	})
	server := &http.Server{
		Handler:        mux,
		ReadTimeout:    readyTimeout,
		WriteTimeout:   readyTimeout,
		MaxHeaderBytes: maxQuestion,
		ErrorLog:       slog.NewLogLogger(a.Log.Handler(), slog.LevelDebug),
	}
	server.SetKeepAlivesEnabled(false)
	answered := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(answered)
		bounded, cancel := context.WithTimeout(context.Background(), readyTimeout)
		defer cancel()
		_ = server.Shutdown(bounded) // late: Close ends the rest
		server.Close()
	})()
	if err := server.Serve(listener); ctx.Err() == nil {
		a.Log.Error("nobody is told any more that the agent is ready", "error", err)
		return
	}
	<-answered
}

// unready says why connections should not come; empty if they should. Where the
// agent has taken the workload's place they come as soon as it is ready, so it is
// not before a developer has been there, and no longer once it winds up: there is
// nobody else to take them.
func (a *Agent) unready() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.Config.Mode == plan.Replace && a.draining != "":
		return "the agent takes no more connections: " + a.draining
	case a.Config.Mode == plan.Replace && !a.hadDeveloper:
		return "no developer has connected yet"
	}
	return ""
}
