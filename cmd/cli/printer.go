package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/tunnel/discovery"
)

// printer tells the user of events: results on Out, the rest on Err, or all of
// it as JSON on Out.
type printer struct {
	streams   output.Streams
	json      bool
	verbose   bool
	namespace string // the session's default one, left out of names
	part      bool   // of more than forwards, which is ready later
	held      bool   // by a session that says itself when all is ready

	mu     sync.Mutex
	table  []*forwards.ServiceEvent // of the start, printed in columns when all are known
	widths [5]int                   // of the columns, in bytes
	begun  bool
	ended  bool
}

func newPrinter(streams output.Streams, output string, verbose bool) *printer {
	return &printer{streams: streams, json: output == "json", verbose: verbose}
}

// of makes namespace the default one.
func (p *printer) of(namespace string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.namespace = namespace
}

// eventsVersion is that of the contract about events, docs/events.md: adding to them
// leaves it as it is.
const eventsVersion = 1

// starting is the first that is said, and ready is said exactly when all stands
// that was asked for: IDEs and scripts wait for the first words of these two lines,
// and of the one that Streams.fail prints. They are a contract.
func (p *printer) starting(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.line(map[string]any{"type": "starting", "command": what, "version": eventsVersion})
		return
	}
	fmt.Fprintf(p.streams.Err, "devtun: starting %s\n", what)
}

// lost warns that a command cannot be found as a session; nil is nothing.
func (p *printer) lost(err error) {
	if err != nil {
		p.tell(forwards.Event{Warning: &forwards.WarningEvent{Message: err.Error()}})
	}
}

// ready counts the services that are forwarded or intercepted, and their ports. Call
// it with mu held.
func (p *printer) ready(services, ports int, took time.Duration) {
	if p.held {
		return
	}
	if p.json {
		p.counted("ready", services, ports, took)
		return
	}
	fmt.Fprintf(p.streams.Err, "devtun: ready in %s\n", brief(took))
}

// counted is the event of that type.
func (p *printer) counted(is string, services, ports int, took time.Duration) {
	p.line(map[string]any{"type": is, "serviceCount": services, "portCount": ports, "seconds": took.Seconds()})
}

// tell prints one event.
func (p *printer) tell(event forwards.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || event.Connection != nil && !p.verbose {
		return
	}
	if p.json {
		p.encode(event)
		return
	}
	switch {
	case event.Service != nil && !p.begun:
		p.table = append(p.table, event.Service)
	case event.Service != nil:
		p.rows([]*forwards.ServiceEvent{event.Service})
	case event.Ready != nil:
		p.rows(p.table)
		p.begun, p.table = true, nil
		fmt.Fprintf(p.streams.Out, "ready: %s, %s in %s\n", count(event.Ready.Services, "service"), count(event.Ready.Ports, "port"), brief(event.Ready.Took))
		if !p.part {
			p.ready(event.Ready.Services, event.Ready.Ports, event.Ready.Took)
		}
	case event.Connection != nil:
		p.connection(event.Connection)
	case event.Warning != nil:
		word := "warning"
		if event.Warning.Over {
			word = "recovered"
		}
		fmt.Fprintf(p.streams.Err, "%s: %s\n", word, event.Warning.Message)
	}
}

// end says, in JSON, that nothing more comes, and why if that is an error.
func (p *printer) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if !p.json {
		return
	}
	if err == nil {
		p.line(map[string]any{"type": "stopped"})
		return
	}
	problem := problem.Of(err)
	p.line(map[string]any{"type": "error", "message": problem.Error(), "hint": problem.Hint, "exitCode": problem.Code})
}

// rows prints services, in columns on a terminal. The columns are as wide as
// those printed before needed, so that later lines stand below the first ones.
func (p *printer) rows(services []*forwards.ServiceEvent) {
	var table [][]string
	for _, service := range services {
		row := p.row(service)
		table = append(table, row)
		for i, cell := range row {
			p.widths[i] = max(p.widths[i], len(cell))
		}
	}
	for i, row := range table {
		last := len(row) - 1
		if p.streams.Terminal {
			for j := range last {
				row[j] += strings.Repeat(" ", p.widths[j]-len(row[j])+1)
			}
		}
		line := strings.Join(row[1:], " ")
		if reason := services[i].Reason; reason != "" {
			line += " (" + reason + ")"
		}
		fmt.Fprintln(p.streams.Out, p.paint(services[i].State, row[0])+" "+line)
	}
}

// row is the columns of a service: state, name, address, ports, host names.
func (p *printer) row(service *forwards.ServiceEvent) []string {
	row := []string{string(service.State), p.label(service)}
	if service.Address == "" || service.State == forwards.Gone {
		return row
	}
	return append(row, service.Address, ports(service.Ports), nested(service.Names))
}

// colours of the states, as ANSI escapes.
var colours = map[forwards.State]string{
	forwards.Ready: "\x1b[32m", forwards.Waiting: "\x1b[33m", forwards.Failed: "\x1b[31m", forwards.Skipped: "\x1b[90m", forwards.Gone: "\x1b[90m",
}

func (p *printer) paint(state forwards.State, text string) string {
	if !p.streams.Colour {
		return text
	}
	return colours[state] + text + "\x1b[0m"
}

// label names a service as the user would: without the default namespace.
func (p *printer) label(event *forwards.ServiceEvent) string {
	label := p.service(event.Service)
	if event.Pod != "" {
		label = event.Pod + "." + label
	}
	return label
}

func (p *printer) service(key discovery.Key) string {
	if key.Namespace == p.namespace {
		return key.Name
	}
	return key.Name + "." + key.Namespace
}

func (p *printer) connection(c *forwards.ConnectionEvent) {
	pod := "no pod"
	if c.Endpoint.Pod.Name != "" {
		pod = fmt.Sprintf("%s:%d", c.Endpoint.Pod.Name, c.Endpoint.Port)
	}
	detail := ""
	if c.Err != nil {
		detail = ": " + c.Err.Error()
	}
	fmt.Fprintf(p.streams.Err, "connection %s:%d -> %s, %d bytes sent, %d received, %s, %s%s\n",
		p.service(c.Service), c.Port, pod, c.Traffic.Sent, c.Traffic.Received, brief(c.Duration), c.Reason, detail)
}

// ports lists a service's ports.
func ports(all []forwards.PortEvent) string {
	var list []status.Port
	for _, port := range all {
		list = append(list, status.Port{Local: port.Local, Port: port.Remote})
	}
	return cmp.Or(status.PortList(list), "-")
}

// nested writes names of which each extends the one before as one word:
// web[.demo[.svc[.cluster.local]]].
func nested(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	text := names[0]
	for i := 1; i < len(names); i++ {
		text += "[" + strings.TrimPrefix(names[i], names[i-1])
	}
	return text + strings.Repeat("]", len(names)-1)
}

var count, brief = output.Count, output.Brief

// line writes one JSON object with the time in it.
func (p *printer) line(fields map[string]any) {
	fields["time"] = time.Now().UTC().Format(time.RFC3339Nano)
	encoder := json.NewEncoder(p.streams.Out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fields); err != nil && !errors.Is(err, errNoReader) {
		io.WriteString(p.streams.Err, "devtun: write event: "+err.Error()+"\n")
	}
}

// encode writes an event as JSON. Fields are added over time, never renamed.
func (p *printer) encode(event forwards.Event) {
	switch {
	case event.Service != nil:
		s := event.Service
		list := []map[string]any{}
		for _, port := range s.Ports {
			list = append(list, map[string]any{"local": port.Local, "port": port.Remote, "name": port.Name})
		}
		p.line(map[string]any{
			"type": "service", "state": s.State, "namespace": s.Service.Namespace, "service": s.Service.Name, "pod": s.Pod,
			"address": s.Address, "names": append([]string{}, s.Names...), "ports": list, "pods": s.Pods, "reason": s.Reason,
		})
	case event.Ready != nil:
		is := "ready"
		if p.part {
			is = "forwarding"
		}
		p.counted(is, event.Ready.Services, event.Ready.Ports, event.Ready.Took)
	case event.Connection != nil:
		c := event.Connection
		message := ""
		if c.Err != nil {
			message = c.Err.Error()
		}
		p.line(map[string]any{
			"type": "connection", "namespace": c.Service.Namespace, "service": c.Service.Name, "port": c.Port, "client": c.Client,
			"pod": c.Endpoint.Pod.Name, "podPort": c.Endpoint.Port, "sent": c.Traffic.Sent, "received": c.Traffic.Received,
			"seconds": c.Duration.Seconds(), "reason": c.Reason, "error": message,
		})
	case event.Warning != nil:
		p.line(map[string]any{"type": "warning", "message": event.Warning.Message, "over": event.Warning.Over})
	}
}
