package background

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/status"
)

const (
	// headerTimeout bounds how long a request may take to come in.
	headerTimeout = 5 * time.Second

	// maxOrder bounds an order, in bytes.
	maxOrder = 4 << 20

	// partTimeout bounds the answers that are under way when the session ends.
	partTimeout = 5 * time.Second
)

// Holder is a session, as its socket needs it. Calls may come at the same time.
type Holder interface {
	Snapshot() status.Snapshot
	// Watch tells of the session as it stands and whenever that has changed, until
	// ctx ends or tell fails.
	Watch(ctx context.Context, tell func(status.Snapshot) error)
	// Apply makes the session hold what is ordered, and says how it goes. It gives up
	// when ctx ends.
	Apply(ctx context.Context, order Order, tell func(Line)) Outcome
	// Restart starts programs again, all if none are named, and says how it goes. It gives up
	// when ctx ends.
	Restart(ctx context.Context, names []string, tell func(Line)) Outcome
	// Down ends the session and says how it goes. It returns when all has been put
	// back, whether anybody listens or not.
	Down(tell func(Line)) Outcome
}

// Serve answers what this user's processes ask of a session, until ctx ends. It
// returns when all answers have been given, or cut.
func Serve(ctx context.Context, listener *net.UnixListener, holder Holder) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"snapshot", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(holder.Snapshot()) // who asked may have gone, here and below
	})
	mux.HandleFunc("GET "+prefix+"watch", func(w http.ResponseWriter, r *http.Request) {
		watching, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		lines := newJSONLines(w)
		holder.Watch(watching, func(s status.Snapshot) error { return lines.put(s) })
	})
	mux.HandleFunc("POST "+prefix+"apply", func(w http.ResponseWriter, r *http.Request) {
		var order Order
		if !readOrder(w, r, &order) || order.Project == nil {
			http.Error(w, unreadable, http.StatusBadRequest)
			return
		}
		lines := newJSONLines(w)
		outcome := holder.Apply(r.Context(), order, func(line Line) { _ = lines.put(line) })
		_ = lines.put(Line{Done: &outcome})
	})
	mux.HandleFunc("POST "+prefix+"restart", func(w http.ResponseWriter, r *http.Request) {
		var order Restart
		if !readOrder(w, r, &order) {
			http.Error(w, unreadable, http.StatusBadRequest)
			return
		}
		lines := newJSONLines(w)
		outcome := holder.Restart(r.Context(), order.Names, func(line Line) { _ = lines.put(line) })
		_ = lines.put(Line{Done: &outcome})
	})
	mux.HandleFunc("POST "+prefix+"down", func(w http.ResponseWriter, _ *http.Request) {
		lines := newJSONLines(w)
		outcome := holder.Down(func(line Line) { _ = lines.put(line) })
		_ = lines.put(Line{Done: &outcome})
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(&guard{listener}) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), partTimeout)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// unreadable is said of an order that cannot be read.
const unreadable = "the order cannot be read: it is of another devtun"

// readOrder reads what is asked for, strictly, to its end: only then is the client's going
// noticed.
func readOrder(w http.ResponseWriter, r *http.Request, order any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(order)
	_, _ = io.Copy(io.Discard, r.Body)
	return err == nil
}

// guard accepts this user's processes only.
type guard struct{ *net.UnixListener }

func (g *guard) Accept() (net.Conn, error) {
	for {
		conn, err := g.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if checkPeer(conn) == nil {
			return conn, nil
		}
		conn.Close()
	}
}

// jsonLines writes one JSON object a line, and each at once.
type jsonLines struct {
	mu      sync.Mutex
	encoder *json.Encoder
	flusher *http.ResponseController
}

func newJSONLines(w http.ResponseWriter) *jsonLines {
	w.Header().Set("Content-Type", "application/jsonl")
	return &jsonLines{encoder: json.NewEncoder(w), flusher: http.NewResponseController(w)}
}

func (l *jsonLines) put(value any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.encoder.Encode(value), l.flusher.Flush())
}
