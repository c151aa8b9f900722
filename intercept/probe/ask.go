package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// asker tries what it is asked.
type asker struct {
	token string
	limit time.Duration
}

// all answers questions, side by side.
func (a asker) all(ctx context.Context, questions []Question) []Answer {
	answers := make([]Answer, len(questions))
	var asking sync.WaitGroup
	for i, q := range questions {
		asking.Go(func() { answers[i] = a.one(ctx, q) })
	}
	asking.Wait()
	return answers
}

// attempt is what became of one.
type attempt struct {
	took      time.Duration
	resent    bool
	addresses []string
	err       error
}

func (a asker) one(ctx context.Context, q Question) Answer {
	tries := make([]attempt, min(max(q.Count, 1), maxCount))
	var trying sync.WaitGroup
	for i := range tries {
		trying.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, a.limit)
			defer cancel()
			began := time.Now()
			tries[i] = a.try(ctx, q)
			tries[i].took = time.Since(began)
		})
	}
	trying.Wait()
	answer := Answer{Tries: len(tries)}
	for _, t := range tries {
		switch {
		case t.err != nil:
			answer.Failed++
			answer.Why, answer.Error = reason(t.err), t.err.Error()
			continue
		case t.resent:
			answer.Resent++
		}
		answer.Milliseconds = max(answer.Milliseconds, int(t.took.Milliseconds()))
		answer.Addresses = t.addresses
	}
	return answer
}

func (a asker) try(ctx context.Context, q Question) (t attempt) {
	if q.Kind == DNS {
		t.addresses, t.err = lookUp(ctx, q)
		return t
	}
	address := q.Address
	if address == APIServer {
		address = net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return attempt{err: err}
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if t.err = conn.SetDeadline(deadline); t.err != nil {
		return t
	}
	t.resent = wasResent(conn)
	switch q.Kind {
	case TCP:
	case TLS: // who it is does not matter: nothing is said to it
		t.err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
	case Peer:
		t.err = greet(conn, a.token, min(q.Size, maxSize))
	default:
		t.err = errors.New("the probe does not know questions of kind " + string(q.Kind))
	}
	return t
}

// lookUp looks a name up, by the pod's name servers or another.
func lookUp(ctx context.Context, q Question) ([]string, error) {
	r := net.Resolver{PreferGo: true}
	if q.Address != "" {
		r.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			if q.Network != "" {
				network = q.Network
			}
			var d net.Dialer
			return d.DialContext(ctx, network, q.Address)
		}
	}
	found, err := r.LookupHost(ctx, q.Name)
	slices.Sort(found)
	return found, err
}

// reason is what kind of failure an error is.
func reason(err error) Why {
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(err.Error(), "connection refused"):
		return Refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH),
		strings.Contains(err.Error(), "no route to host"):
		return NoRoute
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Reset
	case errors.As(err, &dns) && dns.IsNotFound:
		return NXDomain
	case errors.As(err, &dns) && strings.Contains(dns.Err, "server misbehaving"):
		return ServFail
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return Timeout
	}
	return Other
}
