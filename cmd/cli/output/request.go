package output

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/devtun/devtun/tunnel/record"
)

// NewRequest is the event of a record, of which it lacks where it went and came from.
func NewRequest(r *record.Request) Request {
	event := Request{
		Began: r.Time.UTC().Format(time.RFC3339Nano), Protocol: string(r.Protocol), Method: r.Method, Target: r.Target,
		Authority: r.Authority,
		Status:    r.Status, GRPCStatus: r.GRPCCode, Seconds: Seconds(r.Duration), Sent: r.Received, Received: r.Sent,
		Error: r.Error, RequestHeader: fields(r.RequestHeader), AnswerHeader: fields(r.AnswerHeader),
		RequestBody: base64.StdEncoding.EncodeToString(r.RequestBody),
		AnswerBody:  base64.StdEncoding.EncodeToString(r.AnswerBody),
		Record:      r, What: r.What(), Outcome: r.Outcome(),
	}
	if r.GRPC {
		event.GRPC = r.Target
	}
	return event
}

func fields(of []record.Field) []Field {
	all := []Field{}
	for _, f := range of {
		all = append(all, Field(f))
	}
	return all
}

// request prints one line, and what there is of the bodies below it.
func (l *Lines) request(e Request) {
	to := l.err
	if l.look.Tap {
		to = l.out
	}
	if e.Dropped > 0 {
		fmt.Fprintf(to, "(%s could not be shown)\n", Count(e.Dropped, "request"))
	}
	from := e.Caller
	if from == "" {
		from = e.Client
	}
	by := e.By
	if by == "origin" {
		by = "cluster"
	}
	fmt.Fprintf(to, "%s  %s  %s  %s  %s  %s\n", e.Record.Time.Local().Format("15:04:05.000"), from, e.What,
		e.Outcome, e.Seconds, e.By)
	body(to, "> ", e.Record.RequestBody)
	body(to, "< ", e.Record.AnswerBody)
}

// body prints what there is of a body, if it is text.
func body(to io.Writer, prefix string, text []byte) {
	if len(text) == 0 {
		return
	}
	for cut := 1; cut < utf8.UTFMax && cut < len(text) && !utf8.Valid(text); cut++ {
		if utf8.Valid(text[:len(text)-cut]) { // the bound has cut a character
			text = text[:len(text)-cut]
		}
	}
	if !utf8.Valid(text) || strings.ContainsFunc(string(text), isControl) {
		fmt.Fprintf(to, "    %s(%s that are no text)\n", prefix, Count(len(text), "byte"))
		return
	}
	for line := range strings.Lines(string(text)) {
		fmt.Fprintf(to, "    %s%s\n", prefix, strings.TrimRight(line, "\r\n"))
	}
}

// isControl reports a character that would do something to a terminal.
func isControl(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\r' && c != '\t' }
