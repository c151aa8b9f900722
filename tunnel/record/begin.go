package record

import (
	"sync"
	"time"

	"github.com/devtun/devtun/tunnel/proxy"
)

// Options say what is kept of a request beside the line that it makes. The zero value is
// nothing.
type Options struct {
	Headers bool `json:"headers,omitempty"`
	Bodies  int  `json:"bodies,omitempty"` // bytes of each body
	Secrets bool `json:"secrets,omitempty"`
}

// observation makes a record of one request.
type observation struct {
	options Options
	keep    func(bytes int) bool
	done    func(Request)

	mu     sync.Mutex // body and answer come at the same time
	record Request
	ended  bool
}

// Begin looks on at a request, and calls done with what there is to say once it has
// ended. Both done and keep are called by whoever carries the request, and must not wait.
// keep is asked before so many bytes of it are kept; nil allows all.
func Begin(r *proxy.Request, options Options, keep func(bytes int) bool, done func(Request)) proxy.Observation {
	if keep == nil {
		keep = func(int) bool { return true }
	}
	o := &observation{options: options, keep: keep, done: done, record: Request{
		Time: time.Now(), Protocol: r.Protocol, Method: r.Method, Target: maskTarget(r.Target, options.Secrets),
		Authority: r.Authority, GRPC: isCall(r),
	}}
	o.record.RequestHeader = o.fields(r.Header)
	return o
}

// fields are those that are kept.
func (o *observation) fields(fields []proxy.Field) []Field {
	size := 0
	for _, f := range fields {
		size += len(f.Name) + len(f.Value)
	}
	if o.ended || !o.options.Headers || size == 0 || !o.keep(size) {
		return nil
	}
	return maskFields(fields, o.options.Secrets)
}

// body is what is kept of a body that goes on with p.
func (o *observation) body(kept, p []byte) []byte {
	p = p[:min(len(p), o.options.Bodies-len(kept))]
	if o.ended || len(p) == 0 || !o.keep(len(p)) {
		return kept
	}
	return append(kept, p...)
}

func (o *observation) RequestBody(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.record.Received += int64(len(p))
	o.record.RequestBody = o.body(o.record.RequestBody, p)
}

func (o *observation) RequestEnd(trailer []proxy.Field) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.record.RequestTrailer = o.fields(trailer)
}

func (o *observation) Answer(status int, header []proxy.Field) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.record.Status = status
	o.record.GRPCCode = o.code(header)
	if status >= 200 || status == 101 {
		o.record.AnswerHeader = o.fields(header)
	}
}

func (o *observation) AnswerBody(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.record.Sent += int64(len(p))
	o.record.AnswerBody = o.body(o.record.AnswerBody, p)
}

func (o *observation) AnswerTrailer(trailer []proxy.Field) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.record.GRPCCode = o.code(trailer)
	o.record.AnswerTrailer = o.fields(trailer)
}

func (o *observation) code(fields []proxy.Field) string {
	if !o.record.GRPC {
		return ""
	}
	return code(fields, o.record.GRPCCode)
}

func (o *observation) End(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return
	}
	o.ended = true
	o.record.Duration = time.Since(o.record.Time)
	if err != nil {
		o.record.Error = err.Error()
	}
	o.done(o.record)
}
