package output

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/status"
)

// Look says how lines are to look. The zero value is for a pipe.
type Look struct {
	Columns bool // services stand in columns
	Colour  bool
	Verbose bool // of agents, each word
	Tap     bool // requests are the results
}

// Lines writes events as lines for people: results to one writer, the rest to another.
type Lines struct {
	out, err io.Writer
	look     Look

	mu     sync.Mutex
	table  []Service       // of the start, printed when all are known
	widths [3]int          // of the columns, in bytes
	begun  bool            // services are printed as they come
	stands bool            // it was said that the traffic comes
	agents map[string]bool // that are connected
	routes map[int]string
	ended  bool
}

// NewLines returns one that writes results to out and the rest to err.
func NewLines(out, err io.Writer, look Look) *Lines {
	return &Lines{out: out, err: err, look: look, routes: make(map[int]string), agents: make(map[string]bool)}
}

// Write implements Writer. After Stopped or Error nothing is written; what a command
// fails with is not printed here.
//
// IDEs and scripts wait for the first words of what Starting and Ready print: they are a
// contract.
func (l *Lines) Write(event Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = last(event)
	switch e := event.(type) {
	case Starting:
		fmt.Fprintf(l.err, "devtun: starting %s\n", e.Command)
	case Ready:
		if !l.begun {
			l.begin(Forwarding(e))
		}
		fmt.Fprintf(l.err, "devtun: ready in %s\n", e.Seconds)
	case Note:
		fmt.Fprintf(l.err, "note: %s\n", e.Message)
		l.hint(e.Hint)
	case Progress:
		fmt.Fprintln(l.err, e.Message)
	case Warning:
		l.warning(e)
	case Forwarding:
		l.begin(e)
	case Service:
		if l.begun {
			l.rows([]Service{e})
		} else {
			l.table = append(l.table, e)
		}
	case Connection:
		l.connection(e)
	case Relay:
		l.relay(e)
	case Intercept:
		l.intercept(e)
	case Traffic:
		l.traffic(e)
	case Local:
		l.local(e)
	case Agent:
		l.agent(e)
	case Intercepted:
		l.intercepted(e)
	case Request:
		l.request(e)
	}
}

// begin prints the services of the start, and how many they are.
func (l *Lines) begin(e Forwarding) {
	l.rows(l.table)
	l.begun, l.table = true, nil
	fmt.Fprintf(l.out, "ready: %s, %s in %s\n", Count(e.ServiceCount, "service"), Count(e.PortCount, "port"), e.Seconds)
}

func (l *Lines) warning(e Warning) {
	word := "warning"
	if e.Over {
		word = "recovered"
	}
	fmt.Fprintf(l.err, "%s: %s\n", word, e.Message)
	l.hint(e.Hint)
}

func (l *Lines) hint(hint string) {
	if hint != "" {
		fmt.Fprintf(l.err, "hint: %s\n", hint)
	}
}

func (l *Lines) connection(e Connection) {
	pod := "no pod"
	switch {
	case e.Pod != "" && e.Here:
		pod = fmt.Sprintf("%s:%d and the process here", e.Pod, e.PodPort)
	case e.Pod != "":
		pod = fmt.Sprintf("%s:%d", e.Pod, e.PodPort)
	case e.Here:
		pod = "the process here"
	}
	ending := ending(e.Sent, e.Received, e.Seconds, e.Reason, e.Error)
	port := status.Port{Port: e.Port, Protocol: e.Protocol}
	fmt.Fprintf(l.err, "connection %s:%s -> %s, %s\n", e.Label, port.Number(), pod, ending)
}

func (l *Lines) intercepted(e Intercepted) {
	ending := ending(e.Sent, e.Received, e.Seconds, e.Reason, e.Error)
	fmt.Fprintf(l.err, "connection %s -> %s from %s, %s\n", strings.Join(e.Services, ","), e.Local,
		cmp.Or(e.Caller, e.Client), ending)
}

// ending is the end of a connection.
func ending(sent, received int64, took Seconds, reason, failure string) string {
	text := fmt.Sprintf("%d bytes sent, %d received, %s, %s", sent, received, took, reason)
	if failure != "" {
		text += ": " + failure
	}
	return text
}

func (l *Lines) intercept(e Intercept) {
	to, what := l.out, "intercepting"
	if l.look.Tap {
		to, what = l.err, "tapping" // requests are the results
	}
	switch e.State {
	case Restored:
		fmt.Fprintf(to, "restored: %s\n", e.Subject)
		return
	case Left:
		fmt.Fprintf(to, "left: %s, still intercepted by %s\n", e.Subject, strings.Join(e.Others, ", "))
		return
	}
	l.begun, l.stands = true, true
	about := e.Subject
	if e.Ports > 0 {
		about += ", " + Count(e.Ports, "port")
	}
	switch {
	case e.Mode == Mirror:
		about += ", copies of " + e.Rule
	case e.Rule != Everything:
		about += ", " + e.Rule
	}
	fmt.Fprintf(to, "%s: %s in %s\n", what, about, e.Seconds)
}

func (l *Lines) relay(e Relay) {
	line := fmt.Sprintf("relay of namespace %s: %s", e.Namespace, e.State)
	if e.State == Left {
		line += ", still held by " + strings.Join(e.Others, ", ")
	}
	if e.Reason != "" {
		line += " (" + e.Reason + ")"
	}
	fmt.Fprintln(l.err, line)
}

func (l *Lines) traffic(e Traffic) {
	where := status.Where(e.To, e.Local, false)
	switch rule := e.Rule != Everything; {
	case e.To == "developer" && rule:
		where += " for " + e.Rule + ", else cluster"
	case e.To == "mirror" && rule:
		where += bracketed(e.Rule)
	case e.To != "developer" && e.To != "mirror":
		where += bracketed(e.Reason)
	}
	line := strings.Join(e.Services, ", ") + " -> " + where
	if l.routes[e.Port] == line {
		return // only how many agents say so has changed
	}
	l.routes[e.Port] = line
	fmt.Fprintln(l.out, line)
}

func (l *Lines) local(e Local) {
	state := "nothing listens on"
	if e.Open {
		state = "a process listens on"
	}
	fmt.Fprintln(l.err, state, e.Local)
}

func (l *Lines) agent(e Agent) {
	connected, was := e.State == "connected", l.agents[e.Pod]
	l.agents[e.Pod] = connected
	if connected && !l.look.Verbose && (was || !l.stands) {
		return // that it stands says it
	}
	line := fmt.Sprintf("agent %s: %s", e.Pod, e.State)
	switch {
	case e.Reason != "":
		line += " (" + e.Reason + ")"
	case connected && l.look.Verbose:
		line += ", " + Way(e.Link, e.WhyNot)
	}
	fmt.Fprintln(l.err, line)
}

// Way says for people how a link goes, and why not the shorter way if that is known.
func Way(link, whyNot string) string {
	switch {
	case link == "proxy":
		return "through the API server's pod proxy"
	case whyNot != "":
		return "through a port-forward (" + whyNot + ")"
	}
	return "through a port-forward"
}

// Count is a number of things.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Brief is a duration to two or three digits.
func Brief(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}
