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
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	link "github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/proxy"
	"github.com/devtun/devtun/tunnel/record"
)

// interceptScene is an intercept as its user sees it, once the traffic comes.
var interceptScene = []link.Event{
	{Traffic: &link.TrafficEvent{Port: 8080, To: wire.ToOrigin, Why: "nothing listens on localhost:3000", Agents: 2}},
	{Local: &link.LocalEvent{Port: 8080, Address: ":3000", Open: true}},
	{Traffic: &link.TrafficEvent{Port: 8080, To: link.Both, Why: "agent web-b is silent", Developer: 1, Agents: 2}},
	{Traffic: &link.TrafficEvent{Port: 8080, To: wire.ToDeveloper, Why: "it listens", Developer: 2, Agents: 2}},
	{Traffic: &link.TrafficEvent{Port: 9090, To: wire.Held}},
	{Traffic: &link.TrafficEvent{Port: 9090, To: wire.Held, Agents: 1}},
	{Traffic: &link.TrafficEvent{Port: 9090, To: link.Nobody}},
	{Traffic: &link.TrafficEvent{Port: 9090, To: link.Elsewhere, Why: "somebody else has changed it"}},
	{Local: &link.LocalEvent{Port: 8080, Address: ":3000"}},
	{Link: &link.LinkEvent{Pod: "agent-a", State: link.Connected, Way: link.ByPortForward}},
	{Link: &link.LinkEvent{Pod: "agent-a", State: link.Connected, Way: link.ByProxy}},
	{Link: &link.LinkEvent{
		Pod: "agent-a", State: link.Connected, Way: link.ByPortForward, WhyNot: "no answer within 5s",
	}},
	{Link: &link.LinkEvent{Pod: "agent-a", State: link.Silent}},
	{Link: &link.LinkEvent{Pod: "agent-b", State: link.Disconnected, Reason: "the pod has gone"}},
	{Counters: &link.CountersEvent{Pod: "agent-a"}},
	{WatchError: &link.WatchErrorEvent{Message: "cannot watch what the intercept changed: <timeout>"}},
	{WatchError: &link.WatchErrorEvent{Message: "the API server answers again", Over: true}},
	{Change: &link.ChangeEvent{Object: web, What: link.Altered, Conflicts: []plan.Conflict{changed, made}}},
	{Change: &link.ChangeEvent{Object: web, What: link.PutBack}},
	{Change: &link.ChangeEvent{Object: web, What: link.Deleted}},
	{Change: &link.ChangeEvent{Object: web, What: link.Standing}},
	{Connection: &link.ConnectionEvent{Pod: "agent-a", Port: 8080, Client: "10.0.0.1:1",
		Traffic: tunnel.Traffic{Sent: 1, Received: 2}, Duration: 1234 * time.Millisecond, Reason: "client closed"}},
	{Connection: &link.ConnectionEvent{Pod: "agent-b", Port: 9090, Client: "10.0.0.1:2",
		Reason: "refused", Err: errors.New("connection refused")}},
}

// relayScene is what is told of relays.
var relayScene = []forwards.Event{
	{Relay: &forwards.RelayEvent{Namespace: "demo", State: forwards.RelayStarting, Message: "waiting: 2 agents"}},
	{Relay: &forwards.RelayEvent{Namespace: "demo", Link: &link.LinkEvent{Pod: "relay-a", State: link.Connected}}},
	{Relay: &forwards.RelayEvent{Namespace: "demo", State: forwards.RelayStanding}},
	{Relay: &forwards.RelayEvent{Namespace: "demo", State: forwards.RelayLost, Message: "somebody else has removed it"}},
	{Relay: &forwards.RelayEvent{Namespace: "demo", State: forwards.RelayFailed, Message: "rights are missing"}},
	{Relay: &forwards.RelayEvent{Namespace: "demo", State: forwards.RelayLeft, Others: []string{"bob on desk"}}},
	{Relay: &forwards.RelayEvent{Namespace: "demo", State: forwards.RelayRestored}},
}

// requestScene is what is told of requests.
var requestScene = []wire.Record{
	{Port: 8080, Client: "10.0.0.1:1", By: wire.Origin, Request: record.Request{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local), Protocol: proxy.HTTP1, Method: "GET", Target: "/orders?id=3",
		Authority: "web",
		Status:    200, Duration: 12 * time.Millisecond, Sent: 5}},
	{Port: 8080, Client: "10.0.0.1:1", By: "ann@laptop", Dropped: 2, Request: record.Request{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local), Protocol: proxy.HTTP2, Method: "POST",
		Target: "/shop.Orders/Get", Status: 200, GRPC: true,
		GRPCCode: "5", RequestHeader: []record.Field{{Name: "te", Value: "trailers"}},
		RequestBody: []byte("{\"a\": 1,\n\"b\": 2}"), AnswerBody: []byte{0, 1}}},
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
	for _, event := range relayScene {
		printer.tell(event)
	}
	printer.out.Write(console.End(nil))
	forwardPrinter(streams, format,
		verbose).out.Write(console.End(&problem.Problem{Err: errors.New("x"), Hint: "y", Code: problem.ExitMachine}))

	beside := forwardPrinter(streams, format, verbose)
	beside.part = true
	p := &intercept.Events{
		Audience: intercept.Audience{Out: beside.out, Verbose: verbose},
		Target: &target.Target{
			Namespace: "demo", Workload: &target.Workload{Object: plan.Object{Kind: "Deployment", Name: "web"}},
			Services: []*corev1.Service{{}, {}},
			Ports: []target.Port{{Service: "web", Number: 80, Target: 8080}, {Service: "web", Number: 81, Target: 8080},
				{Service: "admin", Number: 90, Target: 9090}},
		},
		Locals: []link.Local{{Port: 8080, Address: ":3000"}},
	}
	p.Out.Write(output.Starting{Command: "intercept", Version: output.Version})
	beside.tell(scene[2])
	beside.tell(forwards.Event{Ready: &forwards.ReadyEvent{Services: 1, Ports: 2, Took: time.Second}})
	p.Note("x", "y")
	p.Note("no <hint>", "")
	p.Progress("waiting: %s", "agents")
	p.Event(link.Event{Progress: &link.ProgressEvent{Message: "more agents"}})
	p.Event(link.Event{Link: &link.LinkEvent{Pod: "agent-a", State: link.Connected}})
	p.Standing(plan.Divert, 2*time.Second)
	p.Ready(2 * time.Second)
	narrow := *p
	narrow.Claim.Rule = claim.Rule{Headers: []claim.Header{claim.Personal("ann")}, Path: "/api/"}
	narrow.Standing(plan.Divert, 2*time.Second)
	narrow.Event(interceptScene[3])
	narrow.Event(interceptScene[0])
	narrow.Claim.Mirror = true
	narrow.Standing(plan.Divert, 2*time.Second)
	narrow.Event(link.Event{Traffic: &link.TrafficEvent{Port: 8080, To: wire.ToMirror, Why: "it listens"}})
	for _, c := range []wire.Counters{{Copied: 1}, {Copied: 2, Dropped: 3}, {Copied: 2, Dropped: 4},
		{Copied: 5, Dropped: 4}} {
		narrow.Event(link.Event{Counters: &link.CountersEvent{Pod: "agent-a", Counters: c}})
	}
	for _, event := range interceptScene {
		p.Event(event)
	}
	for _, r := range requestScene {
		if p.Verbose {
			p.Out.Write(p.Requested(r, map[string]string{wire.Origin: "front-5f9c"}[r.By]))
		}
	}
	p.Warn(false, "odd")
	workload := plan.Object{Kind: "Deployment", Name: "web"}
	report := &plan.Report{Plan: &plan.Plan{Name: "web", Namespace: "demo", Workload: workload}}
	intercept.TellRestored(p.Out, report)
	report.Conflicts = []plan.Conflict{changed, made}
	intercept.TellRestored(p.Out, report)
	report.Others = []claim.Claim{{User: "bob", Machine: "desk"}, {User: "cleo", Machine: "lap"},
		{User: "bob", Machine: "desk"}}
	intercept.TellRestored(p.Out, report)
	p.Out.Write(console.End(errors.New("it broke")))
}

func TestEverythingIsCalledSoEverywhere(t *testing.T) {
	require.Equal(t, output.Everything, claim.Rule{}.String())
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
			got = regexp.MustCompile(`"(time|began)":"[^"]+"`).ReplaceAllString(got, `"$1":"…"`)
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
