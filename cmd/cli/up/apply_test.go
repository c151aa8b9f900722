package up

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/tunnel/discovery"
)

// record is what the parts of a session have been told to do.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

// take returns what has been added since the last time, sorted: much happens beside.
func (r *record) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	slices.Sort(lines)
	return lines
}

// recordedForwarder forwards nothing.
type recordedForwarder struct {
	*record
	tell func(forwards.Event)
	fail chan error
}

func (f *recordedForwarder) Follow(ctx context.Context) error {
	f.tell(forwards.Event{Ready: &forwards.ReadyEvent{Services: 1}})
	select {
	case err := <-f.fail:
		return err
	case <-ctx.Done():
		return nil
	}
}

func (f *recordedForwarder) Reselect(_ context.Context, selected *selection.Selection) error {
	if selected.Named[discovery.Key{Namespace: "demo", Name: "missing"}] {
		return errors.New("no service missing")
	}
	f.add("reselect")
	return nil
}

func (f *recordedForwarder) Close(context.Context) error { f.add("close forwards"); return nil }

// recordedIntercept intercepts nothing. It is of a workload called as its service.
type recordedIntercept struct {
	*record
	name   string
	local  string
	ports  []int      // that the process here is to have; nil: it gets all requests
	fail   error      // before it stands
	gone   chan error // it is lost with this
	refuse error      // to be restored
}

func (i *recordedIntercept) workload() (namespace string, object plan.Object) {
	return "demo", plan.Object{Kind: "Deployment", Name: i.name}
}
func (i *recordedIntercept) left() ([]discovery.Key, map[discovery.Key][]int) {
	key := discovery.Key{Namespace: "demo", Name: i.name}
	if i.ports != nil {
		return nil, map[discovery.Key][]int{key: i.ports}
	}
	return []discovery.Key{key}, nil
}
func (i *recordedIntercept) locals() []string { return []string{i.local} }
func (i *recordedIntercept) run(ctx context.Context, _ *status.Tracker, ready func()) error {
	if i.fail != nil {
		return i.fail
	}
	i.add("intercept " + i.name)
	ready()
	select {
	case err := <-i.gone:
		return err
	case <-ctx.Done():
		i.add("restore " + i.name)
		return i.refuse
	}
}

// recordedSession is one whose parts are recorded, and how it is asked for forwards.
type recordedSession struct {
	*session
	record
	log       bytes.Buffer
	forwarder *recordedForwarder
}

func newRecordedSession(t *testing.T) *recordedSession {
	s := new(recordedSession)
	open := func(
		_ *forward.Settings, _ *kube.Cluster, _ *selection.Selection, _ *heldMachine, tell func(forwards.Event),
	) (forwarder, error) {
		s.add("open forwards")
		s.forwarder = &recordedForwarder{&s.record, tell, make(chan error)}
		return s.forwarder, nil
	}
	s.session = newSession("shop", newSessionLog(&s.log, output.Streams{}), nil, func() error { return nil })
	s.session.openForwarder = open
	t.Cleanup(func() {
		s.end()
		s.putBack()
	})
	return s
}

// wants has services forwarded.
func (s *recordedSession) wants(t *testing.T, transport string, services ...string) error {
	settings := forwardSettings{
		reach: reach{namespace: "demo", transport: transport}, hostsFile: filepath.Join(t.TempDir(), "hosts"),
	}
	if s.forwards != nil {
		settings.hostsFile = s.forwards.settings.hostsFile
	}
	flags := selection.Flags{Args: services, Namespaces: []string{"demo"}}
	w := &want{namespace: "demo", forwards: &wantedForwards{settings, flags}}
	if services == nil {
		w.forwards = nil
	}
	return s.forward(t.Context(), nil, w, nil)
}

func TestForwardsFollowWhatIsWanted(t *testing.T) {
	s := newRecordedSession(t)
	require.NoError(t, s.wants(t, "auto", "web"))
	require.Equal(t, []string{"open forwards"}, s.take())
	require.NoError(t, s.wants(t, "auto", "web"))
	require.Empty(t, s.take(), "what stands is left alone")
	require.NoError(t, s.wants(t, "auto", "web", "api"))
	require.Equal(t, []string{"reselect"}, s.take())
	require.Error(t, s.wants(t, "auto", "missing"))
	require.NoError(t, s.wants(t, "auto", "web", "api"))
	require.Empty(t, s.take(), "what could not be had has changed nothing")
	require.NoError(t, s.wants(t, "websocket", "web", "api"))
	require.Equal(t, []string{"close forwards", "open forwards"}, s.take())

	s.forwarder.fail <- errors.New("lost")
	<-s.forwards.task.over
	require.ErrorContains(t, s.wants(t, "websocket", "web", "api"), "forward services: lost")
	require.NoError(t, s.wants(t, "websocket", "web", "api"))
	require.Equal(t, []string{"close forwards", "open forwards"}, s.take())
	require.NoError(t, s.wants(t, ""))
	require.Equal(t, []string{"close forwards"}, s.take())
}

func TestInterceptsStandOrAreGone(t *testing.T) {
	s := newRecordedSession(t)
	planned := func(name string, i recordedIntercept) *plannedIntercept {
		i.record, i.name, i.gone = &s.record, name, make(chan error)
		return &plannedIntercept{wantedIntercept{settings: interceptSettings{namespace: "demo", workload: name}}, &i, nil}
	}
	web := planned("web", recordedIntercept{})
	refusing := planned("refusing", recordedIntercept{refuse: errors.New("somebody else has changed it")})
	failing := planned("failing", recordedIntercept{fail: errors.New("no image")})
	require.EqualError(t, s.beginIntercepts(t.Context(), []*plannedIntercept{web, failing, refusing}), "no image")
	require.Equal(t, []string{"intercept refusing", "intercept web"}, s.take())
	require.Len(t, s.held(), 2)
	require.True(t, s.held()["demo/web"].stands)

	web.planned.(*recordedIntercept).gone <- errors.New("taken away")
	<-s.intercepts["demo/web"].task.over
	require.False(t, s.held()["demo/web"].stands)
	require.Contains(t, s.log.String(), "warning: the session goes on without its intercept of web: taken away\n")
	require.Equal(t, "intercept of web: taken away", s.Snapshot().Error)

	require.EqualError(t, s.endAllIntercepts(), "somebody else has changed it", "and not what has been told already")
	require.Equal(t, []string{"restore refusing"}, s.take())
	require.Empty(t, s.held())
}

func TestInterceptsInEachOthersWay(t *testing.T) {
	planned := func(asked, workload, local string) *plannedIntercept {
		want := wantedIntercept{settings: interceptSettings{workload: asked}}
		return &plannedIntercept{want, &recordedIntercept{name: workload, local: local}, nil}
	}
	web := planned("web", "web", "localhost:3000")
	require.NoError(t, planned("api", "api", "localhost:3001").conflict([]*plannedIntercept{web}))
	require.EqualError(t, planned("svc/front", "web", "localhost:3001").conflict([]*plannedIntercept{web}),
		`web and svc/front are both of Deployment "web"`)
	require.EqualError(t, planned("api", "api", "localhost:3000").conflict([]*plannedIntercept{web}),
		"the processes for web and api are both to listen on localhost:3000")
}

// TestAWaitThatEndsInARequest is said to be one, and not that the API server is away.
func TestAWaitThatEndsInARequest(t *testing.T) {
	notReady, away := errors.New("not everything was ready"), errors.New("no route to host")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, notReady)
	defer cancel()
	require.Equal(t, away, whyEnded(ctx, away))
	ctx, cancel = context.WithTimeoutCause(t.Context(), 0, notReady)
	defer cancel()
	<-ctx.Done()
	require.Equal(t, notReady, whyEnded(ctx, fmt.Errorf("get: %w", ctx.Err())))
	require.Equal(t, away, whyEnded(ctx, away), "what could not be put back is told")
	require.NoError(t, whyEnded(ctx, nil))
}

// TestWhatIsLeftOut: a service all of whose requests come here, and the ports of others
// that the process here is to have, unless they were asked for by name.
func TestWhatIsLeftOut(t *testing.T) {
	s := newRecordedSession(t)
	key := func(name string) discovery.Key { return discovery.Key{Namespace: "demo", Name: name} }
	var planned []*plannedIntercept
	for name, ports := range map[string][]int{"all": nil, "some": {8080}, "named": {8081}} {
		planned = append(planned, &plannedIntercept{planned: &recordedIntercept{name: name, ports: ports}})
	}
	w := &wantedForwards{services: selection.Flags{Args: []string{"all", "named", "other"}, Namespaces: []string{"demo"}}}
	wants, err := w.locate(t.Context(), nil, s.left(planned))
	require.NoError(t, err)
	require.Equal(t, map[discovery.Key]bool{key("named"): true, key("other"): true}, wants.selected.Named)
	require.Equal(t, map[discovery.Key][]int{key("some"): {8080}}, wants.selected.Without)
}
