package record

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/devtun/devtun/tunnel/proxy"
)

// Request is a request that has ended, or, with no Method, a whole connection.
type Request struct {
	Time      time.Time      `json:"time"` // when it began
	Protocol  proxy.Protocol `json:"protocol"`
	Method    string         `json:"method,omitempty"`
	Target    string         `json:"target,omitempty"` // HTTP/1's request-target, HTTP/2's :path
	Authority string         `json:"authority,omitempty"`
	Status    int            `json:"status,omitempty"`     // 0: there was no answer
	GRPC      bool           `json:"grpc,omitempty"`       // it is a call, of the method Target
	GRPCCode  string         `json:"grpcStatus,omitempty"` // of a call: "0" to "16"
	Duration  time.Duration  `json:"duration"`
	Received  int64          `json:"received"`        // bytes of the request's body
	Sent      int64          `json:"sent"`            // bytes of the answer's
	Error     string         `json:"error,omitempty"` // why it broke off

	// What Options ask for.
	RequestHeader  []Field `json:"requestHeader,omitempty"`
	AnswerHeader   []Field `json:"answerHeader,omitempty"`
	RequestTrailer []Field `json:"requestTrailer,omitempty"`
	AnswerTrailer  []Field `json:"answerTrailer,omitempty"`
	RequestBody    []byte  `json:"requestBody,omitempty"` // its beginning
	AnswerBody     []byte  `json:"answerBody,omitempty"`  // its beginning
}

// Field is one line of a header or trailer.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// What is what was asked for, in a few words: "GET /orders?id=3", or of a call
// "/shop.Orders/Get". It has nothing that would do something to a terminal.
func (r *Request) What() string {
	switch {
	case r.Method == "":
		return string(r.Protocol) + " connection"
	case r.GRPC:
		return Printable(r.Target)
	}
	return Printable(r.Method + " " + r.Target)
}

// Printable is text from elsewhere without what would do something to a terminal.
func Printable(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return '?'
		}
		return c
	}, text)
}

// Outcome is how it ended, in a few words: "200", or of a call "NOT_FOUND".
func (r *Request) Outcome() string {
	switch {
	case r.Error != "":
		return "broke off"
	case r.GRPC && r.GRPCCode != "":
		return codeName(r.GRPCCode)
	case r.Status != 0:
		return strconv.Itoa(r.Status)
	case r.Method == "":
		return fmt.Sprintf("%d bytes in, %d out", r.Received, r.Sent)
	}
	return "no answer"
}

// codes are gRPC's, in the order of their numbers.
var codes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

func codeName(code string) string {
	n, err := strconv.Atoi(code)
	if err != nil || n < 0 || n >= len(codes) {
		return "gRPC status " + code
	}
	return codes[n]
}

// isCall reports that a request is a call of gRPC's.
func isCall(r *proxy.Request) bool {
	values := r.Values("content-type")
	return len(values) > 0 && strings.HasPrefix(values[0], "application/grpc")
}

// code is the status of a call, if these fields have it.
func code(fields []proxy.Field, before string) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, "grpc-status") {
			return cmp.Or(strings.TrimSpace(f.Value), before)
		}
	}
	return before
}
