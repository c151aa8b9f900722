package headers

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/doctor/service"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/tunnel"
)

const (
	// mostTaps bounds the services that are tapped: each gets two pods for a while.
	mostTaps = 8

	// tapTimeout bounds the wait for all taps.
	tapTimeout = time.Minute

	// attempts is how often the request is sent while nothing is told: a service asks the next one
	// by a connection that stood before, which no tap sees, until that has been idle for long.
	attempts = 3

	// listen is how long is waited for requests that follow from the one that was sent.
	listen = 3 * time.Second
)

// Options is what is needed for a look at headers.
type Options struct {
	Kube     *kube.Flags
	Cluster  *kube.Cluster
	Dial     func(ctx context.Context, pod tunnel.Pod, port int) (tunnel.Conn, error)
	From     service.Found // who gets the request
	Image    string        // of the agents; "" for the workloads' own
	Progress io.Writer     // is told what is done in the cluster
}

// Check sends the request and says where its headers are lost. What it changes in the cluster
// is put back when it returns.
func Check(ctx context.Context, o Options) []check.Result {
	to, found := o.entry()
	if !found {
		return []check.Result{notChecked("Service %q has no HTTP port with a ready pod", o.From.Service)}
	}
	var others []string
	for _, n := range o.From.Neighbours {
		if n.Service != o.From.Service {
			others = append(others, n.Service)
		}
	}
	if len(others) == 0 {
		return []check.Result{notChecked("namespace %s has no other HTTP service", o.From.Namespace)}
	}
	var results []check.Result
	if len(others) > mostTaps {
		results = append(results, notChecked("only %d of %d HTTP services are looked at: %s are not", mostTaps, len(others),
			strings.Join(others[mostTaps:], ", ")))
		others = others[:mostTaps]
	}
	fmt.Fprintf(o.Progress, "tapping %s: an agent is put in the way of their new connections for some 20 seconds, and "+
		"everything is put back\n", strings.Join(others, ", "))
	seen := new(seen)
	taps := o.tap(ctx, others, seen)
	defer taps.end()
	results = append(results, taps.await(ctx)...)
	marker := "doctor-" + strings.ToLower(rand.Text()[:12])
	var hops []hop
	for range attempts {
		since := time.Now()
		fmt.Fprintf(o.Progress, "sending a request to %s, with baggage: %s=%s\n", o.From.Service, member, marker)
		answered, err := o.send(ctx, to, marker)
		if err != nil {
			return append(results, o.unanswered(err))
		}
		hops = o.hops(seen.await(ctx, since, listen), marker, answered)
		if len(hops) > 0 || ctx.Err() != nil {
			break
		}
	}
	return append(results, judge(o.From.Service, hops)...)
}

func (o Options) unanswered(err error) check.Result {
	r := result(check.Fault, "Service %q has not answered the request", o.From.Service)
	r.Evidence = []string{err.Error()}
	r.Hint = fmt.Sprintf("devtun doctor %s -n %s says why", o.From.Service, o.From.Namespace)
	return r
}

func result(status check.Status, format string, args ...any) check.Result {
	return check.Result{Area: check.Service, Check: "headers", Status: status, Message: fmt.Sprintf(format, args...)}
}

func notChecked(format string, args ...any) check.Result {
	return result(check.NotChecked, format, args...)
}

// seen are the requests that the taps tell of.
type seen struct {
	mu  sync.Mutex
	all []told
}

// told is a request of which a tap has told.
type told struct {
	to string // the service
	at time.Time
	output.Request
}

func (s *seen) add(to string, r output.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, told{to, time.Now(), r})
}

// await are the requests since then, once there have been some and for as long as more may come.
func (s *seen) await(ctx context.Context, since time.Time, most time.Duration) (some []told) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		if !r.at.Before(since) {
			some = append(some, r)
		}
	}
	return some
}
