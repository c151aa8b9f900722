package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Main is a probe of a configuration, and returns the exit code. Its time being over is no
// failure.
func Main(config string, stderr io.Writer) int {
	c, err := parseConfig(config)
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
		defer stop()
		ctx, cancel := context.WithTimeout(ctx, Life)
		defer cancel()
		err = Run(ctx, c)
	}
	if err != nil {
		fmt.Fprintln(stderr, "devtun-agent: probe:", err)
		return 1
	}
	return 0
}

// Run answers until ctx ends.
func Run(ctx context.Context, c Config) error {
	var listen net.ListenConfig
	peers, err := listen.Listen(ctx, "tcp", ":"+strconv.Itoa(c.PeerPort))
	if err != nil {
		return err
	}
	defer peers.Close()
	// The last: who is answered there finds the other open.
	asked, err := listen.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: asker{c.Token, Limit}, ReadTimeout: Limit, WriteTimeout: 4 * Limit}
	server.SetKeepAlivesEnabled(false)
	var serving sync.WaitGroup
	defer serving.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	serving.Go(func() { servePeers(ctx, peers, c.Token) })
	serving.Go(func() {
		<-ctx.Done()
		server.Close()
	})
	if err := server.Serve(asked); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ServeHTTP answers the questions of one request.
func (a asker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var questions []Question
	if r.Method != http.MethodPost || r.URL.Path != AskPath {
		http.NotFound(w, r)
		return
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&questions); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if len(questions) > maxQuestions {
		http.Error(w, "these are too many questions", http.StatusBadRequest)
		return
	}
	text, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		text = nil // then the lookups fail as well
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.limit+time.Second)
	defer cancel()
	for i := range questions {
		questions[i].Name = absolute(questions[i].Name, string(text))
	}
	report := Report{Nameservers: valuesOf("nameserver", string(text)), Answers: a.all(ctx, questions)}
	_ = json.NewEncoder(w).Encode(report) // a failure is what the other end sees
}

// valuesOf are the values of a keyword of a resolv.conf.
func valuesOf(keyword, conf string) (all []string) {
	for line := range strings.Lines(conf) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == keyword {
			all = append(all, fields[1:]...)
		}
	}
	return all
}

// absolute is a Service's name, as NAME.NAMESPACE.svc, with the cluster's domain, which is among
// those that a resolv.conf has searched: what the others make of the name is nobody's fault.
func absolute(name, conf string) string {
	service, found := strings.CutSuffix(name, ".svc")
	if !found {
		return name
	}
	for _, domain := range valuesOf("search", conf) {
		if strings.HasPrefix(domain, "svc.") {
			return service + "." + strings.TrimSuffix(domain, ".") + "."
		}
	}
	return name
}
