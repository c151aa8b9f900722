package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
	"github.com/devtun/devtun/tunnel/record"
)

var web = discovery.Key{Namespace: "demo", Name: "web"}

// standing is web as a session tells of it.
func standing(use *forwards.Use) forwards.Event {
	return forwards.Event{Service: &forwards.ServiceEvent{
		State: forwards.Ready, Service: web, Address: "127.9.8.7", Names: []string{"web", "web.demo"},
		Ports: []forwards.PortEvent{{Local: 8080, Remote: 80, Name: "http"}}, Use: use,
	}}
}

func ended(number int, err error) forwards.Event {
	return forwards.Event{Connection: &forwards.ConnectionEvent{Service: web, Port: 8080, Report: tunnel.Report{
		Client: fmt.Sprintf("127.0.0.1:%d", number), Endpoint: tunnel.Endpoint{Pod: tunnel.Pod{Name: "web-0"}},
		Traffic: tunnel.Traffic{Sent: 3, Received: 4}, Duration: time.Second, Reason: "pod closed", Err: err,
	}}}
}

func TestAForwardFromItsStartToItsEnd(t *testing.T) {
	tracker := NewTracker("dev", "devtun.yaml")
	tracker.SetContext("kind", "demo")
	text, err := json.Marshal(tracker.Snapshot())
	require.NoError(t, err)
	require.Contains(t, string(text), `"services":[],"intercepts":[]`, "lists, also when they are empty")

	tracker.Forward(standing(new(forwards.Use)))
	tracker.Forward(forwards.Event{Endpoints: &forwards.EndpointsEvent{Service: web, Ready: []string{"web-0", "web-1"}}})
	tracker.Forward(forwards.Event{Service: &forwards.ServiceEvent{State: forwards.Skipped,
		Service: discovery.Key{Namespace: "demo", Name: "alias"}, Reason: "UDP"}})
	now := tracker.Snapshot()
	require.Equal(t, []any{"dev", "devtun.yaml", "kind", "demo", Starting},
		[]any{now.Session, now.File, now.Context, now.Namespace, now.State})
	require.Equal(t, []Service{
		{Namespace: "demo", Service: "alias", State: "skipped", Reason: "UDP", Names: []string{}, Ports: []Port{},
			Endpoints: []string{}},
		{Namespace: "demo", Service: "web", State: "ready", Address: "127.9.8.7", Names: []string{"web", "web.demo"},
			Ports: []Port{{Local: 8080, Port: 80, Name: "http"}}, Pods: 2, Endpoints: []string{"web-0", "web-1"}},
	}, now.Services, "by name")

	tracker.Forward(forwards.Event{Request: &forwards.RequestEvent{Service: web, Port: 80, Client: "127.0.0.1:1",
		Endpoint: "web-0", Request: record.Request{Method: "GET", Target: "/", Status: 204, Duration: time.Second}}})
	requests := tracker.Snapshot().Services[1].Requests
	require.Len(t, requests, 1)
	requests[0].Ended = time.Time{}
	require.Equal(t, Request{Caller: "127.0.0.1:1", What: "GET /", Outcome: "204", Seconds: 1, By: "web-0"}, requests[0])

	tracker.Forward(ended(1, errors.New("reset")))
	tracker.Forward(ended(2, nil))
	service := tracker.Snapshot().Services[1]
	require.Equal(t, "pod closed: reset", service.LastError)
	require.WithinDuration(t, time.Now(), *service.LastErrorAt, time.Minute)
	require.Len(t, service.Recent, 2)
	last := service.Recent[0]
	last.Ended = time.Time{}
	require.Equal(t,
		Connection{Port: 80, Client: "127.0.0.1:2", Pod: "web-0", Sent: 3, Received: 4, Seconds: 1, Reason: "pod closed"},
		last, "the newest")
	require.Equal(t, "reset", service.Recent[1].Error)

	for n := range 2 * RecentMax {
		tracker.Forward(ended(n, nil))
	}
	require.Len(t, tracker.Snapshot().Services[1].Recent, RecentMax)
	require.Equal(t, last.Client, service.Recent[0].Client, "a snapshot stays as it is")

	tracker.Forward(forwards.Event{Service: &forwards.ServiceEvent{State: forwards.Gone, Service: web}})
	require.Len(t, tracker.Snapshot().Services, 1)
	tracker.Forward(ended(1, nil))
	tracker.Forward(forwards.Event{Endpoints: &forwards.EndpointsEvent{Service: web}})
	require.Len(t, tracker.Snapshot().Services, 1, "late news of what is gone")

	tracker.Forward(standing(new(forwards.Use)))
	require.Empty(t, tracker.Snapshot().Services[1].Use, "another one, which begins anew")
}

func TestThePodOfAHeadlessServiceStandsForItself(t *testing.T) {
	tracker := NewTracker("", "")
	tracker.Forward(standing(new(forwards.Use)))
	pod := standing(new(forwards.Use))
	pod.Service.Pod = "web-0"
	tracker.Forward(pod)
	connection := ended(1, nil)
	connection.Connection.Pod = "web-0"
	tracker.Forward(connection)
	now := tracker.Snapshot()
	require.Len(t, now.Services, 2)
	require.Empty(t, now.Services[0].Recent)
	require.Len(t, now.Services[1].Recent, 1)
}

func TestChangesAreTold(t *testing.T) {
	tracker := NewTracker("", "")
	for about, change := range map[string]func(){
		"service": func() { tracker.Forward(standing(new(forwards.Use))) },
		"pods": func() {
			tracker.Forward(forwards.Event{Endpoints: &forwards.EndpointsEvent{Service: web, Ready: []string{"a"}}})
		},
		"state":   func() { tracker.SetState(Ready) },
		"place":   func() { tracker.SetContext("kind", "demo") },
		"failure": func() { tracker.SetError(errors.New("no")) },
		"begins":  func() { tracker.Intercept(Intercept{Name: "web"}) },
	} {
		changed := tracker.Changed()
		change()
		select {
		case <-changed:
		default:
			require.Fail(t, "nothing is told", about)
		}
	}
	require.Equal(t, "no", tracker.Snapshot().Error)
	tracker.SetError(nil)
	require.Empty(t, tracker.Snapshot().Error)
	unchanged := tracker.Changed()
	tracker.Forward(forwards.Event{Warning: &forwards.WarningEvent{Message: "x"}})
	select {
	case <-unchanged:
		require.Fail(t, "a warning is no part of it")
	default:
	}
}

func TestAnInterceptFromItsStartToItsEnd(t *testing.T) {
	tracker := NewTracker("", "")
	i := tracker.Intercept(Intercept{
		Name: "web", Namespace: "demo", Workload: "deployment/web", Mode: "divert",
		Routes: []Route{{Services: []string{"web:80"}, Port: 8080, Local: "localhost:3000", To: "origin"},
			{Port: 9090, To: "origin"}},
	})
	before := tracker.Snapshot().Intercepts[0]
	require.Equal(t, Preparing, before.State)
	i.SetCounter(func() intercept.Summary { return intercept.Summary{Open: 1, Taken: 7, Sent: 11, Received: 13} })
	for _, event := range []intercept.Event{
		{Link: &intercept.LinkEvent{Pod: "agent-a", State: intercept.Connected, Way: intercept.ByPortForward}},
		{Link: &intercept.LinkEvent{Pod: "agent-a", State: intercept.Connected, Way: intercept.ByProxy}},
		{Link: &intercept.LinkEvent{Pod: "agent-b", State: intercept.Connected, Way: intercept.ByPortForward, WhyNot: "no"}},
		{Link: &intercept.LinkEvent{Pod: "agent-b", State: intercept.Silent, Way: intercept.ByPortForward, WhyNot: "no"}},
		{Link: &intercept.LinkEvent{Pod: "agent-c", State: intercept.Disconnected, Reason: "it has gone"}},
		{Local: &intercept.LocalEvent{Port: 8080, Open: true}},
		{Traffic: &intercept.TrafficEvent{Port: 8080, To: wire.ToDeveloper, Why: "it listens"}},
		{Connection: &intercept.ConnectionEvent{Pod: "agent-a", Port: 8080, Client: "10.0.0.9:1", Reason: "client closed"}},
		{WatchError: &intercept.WatchErrorEvent{Message: "no answer"}},
		{WatchError: &intercept.WatchErrorEvent{Message: "it answers", Over: true}},
	} {
		i.Event(event)
	}
	i.SetState(Standing)
	now := tracker.Snapshot().Intercepts[0]
	require.Equal(t, []any{Standing, 1}, []any{now.State, now.Agents})
	require.Equal(t, []Link{{"agent-a", "proxy", ""}, {"agent-b", "portforward", "no"}}, now.Links)
	require.Equal(t, []int64{1, 7, 11, 13}, []int64{int64(now.Open), int64(now.Total), now.Sent, now.Received})
	require.Equal(t,
		Route{Services: []string{"web:80"}, Port: 8080, Local: "localhost:3000", Open: true, To: "developer",
			Reason: "it listens"}, now.Routes[0])
	require.Equal(t, "origin", now.Routes[1].To)
	require.Equal(t, "origin", before.Routes[0].To, "a snapshot stays as it is")
	require.Equal(t, "10.0.0.9:1", now.Recent[0].Client)
	require.Equal(t, "no answer", now.LastError)

	i.Event(intercept.Event{Change: &intercept.ChangeEvent{Object: plan.Object{Kind: "Service", Name: "web"},
		What: intercept.Deleted}})
	require.Equal(t, `somebody else has changed Service "web": deleted`, tracker.Snapshot().Intercepts[0].LastError)
	i.Remove()
	require.Empty(t, tracker.Snapshot().Intercepts)
}
