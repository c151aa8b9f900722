package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel"
)

var update = flag.Bool("update", false, "write testdata/printer anew instead of comparing")

// scene is a session as its user sees it, from the start to the end.
var scene = []forwards.Event{
	{Service: &forwards.ServiceEvent{State: forwards.Skipped, Service: in("demo", "alias"),
		Reason: "no pods: it is an ExternalName for db.example.org"}},
	{Service: &forwards.ServiceEvent{State: forwards.Failed, Service: in("demo", "api"), Address: "127.9.9.9",
		Names:  []string{"api", "api.demo"},
		Reason: "listen for demo/api: listen on 127.9.9.9:80: address already in use by nginx (pid 7)"}},
	{Service: &forwards.ServiceEvent{State: forwards.Ready, Service: in("demo", "service-front"),
		Address: "127.98.111.142", Pods: 2,
		Names: []string{"service-front", "service-front.demo", "service-front.demo.svc",
			"service-front.demo.svc.cluster.local"},
		Ports: []forwards.PortEvent{{Local: 80, Remote: 80, Name: "http"}, {Local: 9090, Remote: 90, Name: "metrics"}}}},
	{Service: &forwards.ServiceEvent{State: forwards.Waiting, Service: in("shop", "db"), Pod: "db-0",
		Address: "127.1.2.3", Reason: "no ready pod",
		Names: []string{"db-0.db.shop", "db-0.db.shop.svc"}, Ports: []forwards.PortEvent{{Local: 5432, Remote: 5432}}}},
	{Warning: &forwards.WarningEvent{Message: "something <odd>"}},
	{Ready: &forwards.ReadyEvent{Services: 1, Ports: 3, Took: 234567 * time.Microsecond}},
	{Service: &forwards.ServiceEvent{State: forwards.Ready, Service: in("shop", "db"), Pod: "db-0", Address: "127.1.2.3",
		Pods:  1,
		Names: []string{"db-0.db.shop", "db-0.db.shop.svc"}, Ports: []forwards.PortEvent{{Local: 5432, Remote: 5432}}}},
	{Connection: &forwards.ConnectionEvent{Service: in("demo", "service-front"), Port: 80, Report: tunnel.Report{
		Client: "127.0.0.1:54321", Endpoint: tunnel.Endpoint{Pod: tunnel.Pod{Namespace: "demo", Name: "front-0"},
			Port: 8080},
		Traffic: tunnel.Traffic{Sent: 78, Received: 12345}, Duration: 1234 * time.Millisecond, Reason: "client closed"}}},
	{Connection: &forwards.ConnectionEvent{Service: in("shop", "db"), Port: 5432, Report: tunnel.Report{
		Client: "127.0.0.1:54322", Duration: 30 * time.Second, Reason: "no endpoint in time",
		Err: errors.New("no endpoint became ready in time")}}},
	{Warning: &forwards.WarningEvent{Message: "the API server answers again", Over: true}},
	{Service: &forwards.ServiceEvent{State: forwards.Gone, Service: in("demo", "service-front"),
		Address: "127.98.111.142",
		Names:   []string{"service-front"}, Ports: []forwards.PortEvent{{Local: 80, Remote: 80}}}},
}

// printer tells of forwards as a command in namespace demo does.
type printer struct {
	out     output.Writer
	verbose bool
	part    bool // of an intercept
}

func forwardPrinter(streams output.Streams, format string, verbose bool) *printer {
	return &printer{out: console.NewWriter(streams, format, verbose), verbose: verbose}
}

func (p *printer) tell(event forwards.Event) {
	selected := &selection.Selection{Namespace: "demo"}
	switch {
	case event.Ready != nil && p.part:
		p.out.Write(forward.Summary(event.Ready))
	case event.Ready != nil:
		forward.TellReady(p.out, selected, event.Ready)
	default:
		forward.Tell(p.out, event, selected.Namespace, p.verbose)
	}
}

func TestPrinter(t *testing.T) {
	for _, c := range []struct {
		golden  string
		streams output.Streams
		output  string
		verbose bool
	}{
		{"pipe.txt", output.Streams{}, "", false},
		{"pipe-verbose.txt", output.Streams{}, "", true},
		{"terminal.txt", output.Streams{Terminal: true}, "", false},
		{"colour.txt", output.Streams{Terminal: true, Colour: true}, "", false},
		{"events.jsonl", output.Streams{}, "json", false},
		{"events-verbose.jsonl", output.Streams{Terminal: true, Colour: true}, "json", true},
	} {
		t.Run(c.golden, func(t *testing.T) {
			var out, err bytes.Buffer
			c.streams.Out, c.streams.Err = &out, &err
			printer := forwardPrinter(c.streams, c.output, c.verbose)
			for _, event := range scene {
				printer.tell(event)
			}
			printer.out.Write(console.End(nil))
			got := strings.ReplaceAll(out.String(), "\x1b", "^[") + "--- stderr\n" + err.String()
			got = regexp.MustCompile(`"time":"[^"]+"`).ReplaceAllString(got, `"time":"…"`)
			path := filepath.Join("testdata", "printer", c.golden)
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, readErr := os.ReadFile(path)
			require.NoError(t, readErr)
			require.Equal(t, string(want), got)
		})
	}
}

func TestEventsAreObjectsOfATypeAndATime(t *testing.T) {
	var out bytes.Buffer
	printer := forwardPrinter(output.Streams{Out: &out}, "json", true)
	for _, event := range scene {
		printer.tell(event)
	}
	printer.out.Write(console.End(errors.New("x")))
	types := make(map[string]int)
	for line := range strings.Lines(out.String()) {
		var event struct {
			Type string
			Time time.Time
		}
		require.NoError(t, json.Unmarshal([]byte(line), &event))
		require.WithinDuration(t, time.Now(), event.Time, time.Minute)
		types[event.Type]++
	}
	require.Equal(t, map[string]int{"service": 6, "warning": 2, "ready": 1, "connection": 2, "error": 1}, types)
}

func TestNothingIsToldBeforeReadyNorAfterTheEnd(t *testing.T) {
	var out, err bytes.Buffer
	printer := forwardPrinter(output.Streams{Out: &out, Err: &err}, "", true)
	printer.tell(scene[2])
	require.Empty(t, out.String(), "it may yet fail")
	printer.out.Write(console.End(errors.New("x")))
	for _, event := range scene {
		printer.tell(event)
	}
	require.Empty(t, out.String())
	require.Empty(t, err.String())
}
