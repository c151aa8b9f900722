package headers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/devtun/devtun/cmd/cli/doctor/service"
	"github.com/devtun/devtun/tunnel"
)

const (
	// answerTimeout bounds the wait for the answer, answerLimit, in bytes, what is read of it.
	answerTimeout = 10 * time.Second
	answerLimit   = 1 << 20

	// member is the key of the member of baggage, as that of a personal claim.
	member = "devtun"
)

// entry is the endpoint that the request is sent to.
func (o Options) entry() (service.Endpoint, bool) {
	for _, p := range o.From.Ports {
		for _, e := range o.From.Endpoints {
			if p.HTTP && e.Port == p.Name && e.Pod != "" {
				return e, true
			}
		}
	}
	return service.Endpoint{}, false
}

// send sends the request, and returns when it was answered, whatever the answer is.
func (o Options) send(ctx context.Context, to service.Endpoint, marker string) (answered time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	conn, err := o.Dial(ctx, tunnel.Pod{Namespace: o.From.Namespace, Name: to.Pod}, to.Number)
	if err != nil {
		return answered, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, conn.Abort)()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.From.Service+"/", nil)
	if err != nil {
		return answered, err
	}
	request.Header.Set("Baggage", member+"="+marker)
	request.Header.Set("Traceparent", traceparent(marker))
	request.Header.Set("User-Agent", "devtun-doctor")
	request.Close = true
	if err := request.Write(conn); err != nil {
		return answered, fmt.Errorf("send: %w", err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return answered, fmt.Errorf("read the answer: %w", err)
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, answerLimit))
	return time.Now(), err
}

// traceparent is W3C Trace Context's (section 3.2), whose trace is known by the marker.
func traceparent(marker string) string {
	return "00-" + traceOf(marker) + "-00000000000000d1-01"
}

// traceOf is a trace's ID of 32 hexadecimal digits, of the marker.
func traceOf(marker string) string {
	digits := fmt.Sprintf("%x", strings.TrimPrefix(marker, "doctor-"))
	return (digits + strings.Repeat("0", 32))[:32]
}
