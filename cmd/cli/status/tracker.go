package status

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/internal/broadcast"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Tracker makes a Snapshot of what is told of forwards and intercepts. Its methods
// may be called concurrently, and none of them waits.
type Tracker struct {
	mu         sync.Mutex
	head       Snapshot // but for services and intercepts
	services   map[key]*forward
	intercepts []*InterceptTracker
	relays     map[string]*relay // by namespace
	changed    broadcast.Signal
}

// key is a service, or a pod in it.
type key struct {
	service discovery.Key
	pod     string
}

// forward is what is known of one.
type forward struct {
	Service
	use *forwards.Use // nil: it has no address
}

// NewTracker returns a tracker of a session of this process, which starts. It has
// that name, and that project file; "" for none.
func NewTracker(name, file string) *Tracker {
	return &Tracker{
		head:     Snapshot{Session: name, File: file, PID: os.Getpid(), State: Starting, Since: time.Now()},
		services: make(map[key]*forward), relays: make(map[string]*relay),
	}
}

// Changed is closed at the next change. Counts change without that.
func (t *Tracker) Changed() <-chan struct{} { return t.changed.Wait() }

// change makes a change and tells of it.
func (t *Tracker) change(by func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	by()
	t.changed.Notify()
}

// SetContext says where the session is.
func (t *Tracker) SetContext(context, namespace string) {
	t.change(func() { t.head.Context, t.head.Namespace = context, namespace })
}

// SetFile says which project file the session was made from, if it was not known at first.
func (t *Tracker) SetFile(file string) { t.change(func() { t.head.File = file }) }

// SetStartedBy says who has started the session.
func (t *Tracker) SetStartedBy(name string) { t.change(func() { t.head.StartedBy = name }) }

// SetState says how far the session has come.
func (t *Tracker) SetState(state State) { t.change(func() { t.head.State = state }) }

// SetError says why the session has failed; nil takes that back.
func (t *Tracker) SetError(err error) {
	t.change(func() {
		t.head.Error = ""
		if err != nil {
			t.head.Error = err.Error()
		}
	})
}

// Forward takes what a session of forwards tells.
func (t *Tracker) Forward(event forwards.Event) {
	switch {
	case event.Service != nil:
		t.change(func() { t.service(event.Service) })
	case event.Endpoints != nil:
		t.change(func() { t.endpoints(event.Endpoints) })
	case event.Connection != nil:
		t.change(func() { t.connection(event.Connection) })
	case event.Request != nil:
		t.change(func() { t.request(event.Request) })
	case event.Relay != nil:
		t.change(func() { t.relay(event.Relay) })
	}
}

func (t *Tracker) service(e *forwards.ServiceEvent) {
	at := key{e.Service, e.Pod}
	if e.State == forwards.Gone {
		delete(t.services, at)
		return
	}
	f := t.services[at]
	if f == nil || f.use != e.Use { // another forward than before
		f = &forward{use: e.Use, Service: Service{
			Namespace: e.Service.Namespace, Service: e.Service.Name, Pod: e.Pod, Endpoints: []string{},
		}}
		t.services[at] = f
	}
	f.Service.State, f.Reason, f.Address = string(e.State), e.Reason, e.Address
	f.Names, f.Ports = append([]string{}, e.Names...), PortsOf(e)
}

func (t *Tracker) endpoints(e *forwards.EndpointsEvent) {
	if f := t.services[key{e.Service, e.Pod}]; f != nil {
		f.Pods, f.Endpoints = len(e.Ready), e.Ready
	}
}

func (t *Tracker) connection(e *forwards.ConnectionEvent) {
	f := t.services[key{e.Service, e.Pod}]
	if f == nil {
		return
	}
	port := e.Port
	protocol := onlyUDP(e.Protocol())
	if i := slices.IndexFunc(f.Ports, func(p Port) bool {
		return p.Local == e.Port && p.Protocol == protocol
	}); i >= 0 {
		port = f.Ports[i].Port
	}
	f.ended(Connection{
		Port: port, Protocol: protocol, Client: e.Client, Pod: e.Endpoint.Name(), Here: e.Here, Sent: e.Traffic.Sent,
		Received: e.Traffic.Received, Seconds: e.Duration.Seconds(), Reason: e.Reason,
	}, e.Err)
}

func (t *Tracker) request(e *forwards.RequestEvent) {
	if f := t.services[key{e.Service, e.Pod}]; f != nil {
		f.requested(Request{
			Ended: time.Now(), Caller: e.Client, What: e.What(), Outcome: e.Outcome(), Seconds: e.Duration.Seconds(),
			By: cmp.Or(e.Endpoint, "here"),
		})
	}
}

// ended notes the end of a connection.
func (u *Use) ended(c Connection, err error) {
	c.Ended = time.Now()
	if err != nil {
		c.Error = err.Error()
		u.noteError(fmt.Sprintf("%s: %v", c.Reason, err))
	}
	u.Recent = u.recent.add(c)
}

// requested notes a request that has ended, likewise.
func (u *Use) requested(r Request) {
	u.Requests = u.requests.add(r)
}

// noteError notes an error.
func (u *Use) noteError(message string) {
	now := time.Now()
	u.LastError, u.LastErrorAt = message, &now
}

// Snapshot is how things stand now. The caller may keep it, and must not write to
// its lists.
func (t *Tracker) Snapshot() Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.head
	now.Services, now.Intercepts = []Service{}, []Intercept{}
	for _, f := range t.services {
		service := f.Service
		if f.use != nil {
			traffic := f.use.Traffic()
			service.Open, service.Total = f.use.Open(), f.use.Total()
			service.Sent, service.Received = traffic.Sent, traffic.Received
		}
		now.Services = append(now.Services, service)
	}
	slices.SortFunc(now.Services, func(a, b Service) int {
		return cmp.Or(
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Pod, b.Pod),
		)
	})
	for _, i := range t.intercepts {
		now.Intercepts = append(now.Intercepts, i.snapshot())
	}
	now.Relays = t.relaysNow()
	return now
}
