package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// interceptScene is an intercept as its user sees it, once the traffic comes.
var interceptScene = []intercept.Event{
	{Traffic: &intercept.TrafficEvent{Port: 8080, To: wire.ToOrigin, Why: "nobody listens", Agents: 2}},
	{Local: &intercept.LocalEvent{Port: 8080, Address: ":3000", Open: true}},
	{Traffic: &intercept.TrafficEvent{Port: 8080, To: intercept.Both, Why: "agent web-b is silent", Developer: 1, Agents: 2}},
	{Traffic: &intercept.TrafficEvent{Port: 8080, To: wire.ToDeveloper, Why: "it listens", Developer: 2, Agents: 2}},
	{Traffic: &intercept.TrafficEvent{Port: 9090, To: wire.Held}},
	{Traffic: &intercept.TrafficEvent{Port: 9090, To: wire.Held, Agents: 1}},
	{Traffic: &intercept.TrafficEvent{Port: 9090, To: intercept.Nobody}},
	{Traffic: &intercept.TrafficEvent{Port: 9090, To: intercept.Elsewhere, Why: "somebody else has changed it"}},
	{Local: &intercept.LocalEvent{Port: 8080, Address: ":3000"}},
	{Link: &intercept.LinkEvent{Pod: "agent-a", State: intercept.Connected}},
	{Link: &intercept.LinkEvent{Pod: "agent-a", State: intercept.Silent}},
	{Link: &intercept.LinkEvent{Pod: "agent-b", State: intercept.Disconnected, Reason: "the pod has gone"}},
	{Counters: &intercept.CountersEvent{Pod: "agent-a"}},
	{WatchError: &intercept.WatchErrorEvent{Message: "cannot watch what the intercept changed: <timeout>"}},
	{WatchError: &intercept.WatchErrorEvent{Message: "the API server answers again", Over: true}},
	{Change: &intercept.ChangeEvent{Object: web, What: intercept.Altered, Conflicts: []plan.Conflict{changed, made}}},
	{Change: &intercept.ChangeEvent{Object: web, What: intercept.PutBack}},
	{Change: &intercept.ChangeEvent{Object: web, What: intercept.Deleted}},
	{Change: &intercept.ChangeEvent{Object: web, What: intercept.Standing}},
	{Connection: &intercept.ConnectionEvent{Pod: "agent-a", Port: 8080, Client: "10.0.0.1:1",
		Traffic: tunnel.Traffic{Sent: 1, Received: 2}, Duration: 1234 * time.Millisecond, Reason: "client closed"}},
	{Connection: &intercept.ConnectionEvent{Pod: "agent-b", Port: 9090, Client: "10.0.0.1:2",
		Reason: "refused", Err: errors.New("connection refused")}},
}

var (
	web     = plan.Object{Kind: "Service", Name: "web"}
	changed = plan.Conflict{Object: web, Field: "/spec/selector",
		Expected: json.RawMessage(`{"a": "<b>"}`), Found: json.RawMessage(`null`)}
	made = plan.Conflict{Object: web, Field: "/metadata/uid",
		Expected: json.RawMessage(`"1"`), Found: json.RawMessage(`"2"`)}
)

// printEvery has each kind of event told, with what may be in it.
func printEvery(streams output.Streams, format string, verbose bool) {
	printer := forwardPrinter(streams, format, verbose)
	printer.out.Write(output.Starting{Command: "forward", Version: output.Version})
	for _, event := range scene {
		printer.tell(event)
	}
	printer.out.Write(console.End(nil))
	forwardPrinter(streams, format, verbose).out.Write(console.End(&problem.Problem{Err: errors.New("x"), Hint: "y", Code: problem.ExitMachine}))

	beside := forwardPrinter(streams, format, verbose)
	beside.part = true
	p := &interceptEvents{
		audience: audience{out: beside.out, verbose: verbose},
		target: &target.Target{
			Namespace: "demo", Workload: &target.Workload{Object: plan.Object{Kind: "Deployment", Name: "web"}},
			Services: []*corev1.Service{{}, {}},
			Ports: []target.Port{{Service: "web", Number: 80, Target: 8080}, {Service: "web", Number: 81, Target: 8080},
				{Service: "admin", Number: 90, Target: 9090}},
		},
		locals: []intercept.Local{{Port: 8080, Address: ":3000"}},
	}
	p.out.Write(output.Starting{Command: "intercept", Version: output.Version})
	beside.tell(scene[2])
	beside.tell(forwards.Event{Ready: &forwards.ReadyEvent{Services: 1, Ports: 2, Took: time.Second}})
	p.note("x", "y")
	p.note("no <hint>", "")
	p.progress("waiting: %s", "agents")
	p.event(intercept.Event{Progress: &intercept.ProgressEvent{Message: "more agents"}})
	p.event(intercept.Event{Link: &intercept.LinkEvent{Pod: "agent-a", State: intercept.Connected}})
	p.standing(plan.Divert, 2*time.Second)
	p.ready(2 * time.Second)
	for _, event := range interceptScene {
		p.event(event)
	}
	p.warn(false, "odd")
	workload := plan.Object{Kind: "Deployment", Name: "web"}
	report := &plan.Report{Plan: &plan.Plan{Name: "web", Namespace: "demo", Workload: workload}}
	tellRestored(p.out, report)
	report.Conflicts = []plan.Conflict{changed, made}
	tellRestored(p.out, report)
	p.out.Write(console.End(errors.New("it broke")))
}

func TestEveryEventIsToldAsItAlwaysWas(t *testing.T) {
	for _, c := range []struct {
		golden  string
		streams output.Streams
		format  string
		verbose bool
	}{
		{"every.txt", output.Streams{}, "", false},
		{"every-verbose.txt", output.Streams{}, "", true},
		{"every.jsonl", output.Streams{}, "json", false},
		{"every-verbose.jsonl", output.Streams{}, "json", true},
	} {
		t.Run(c.golden, func(t *testing.T) {
			var out, errs bytes.Buffer
			c.streams.Out, c.streams.Err = &out, &errs
			printEvery(c.streams, c.format, c.verbose)
			got := out.String() + "--- stderr\n" + errs.String()
			got = regexp.MustCompile(`"time":"[^"]+"`).ReplaceAllString(got, `"time":"…"`)
			path := filepath.Join("testdata", "printer", c.golden)
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}
