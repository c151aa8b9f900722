package intercept

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/devtun/devtun/intercept/agent"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/podproxy"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/duplex"
)

const (
	soon = 10 * time.Second

	namespace = "demo"
	port      = 8080
	linkPort  = 9999
)

// world is agents on this machine's loopback, with an origin behind them, pods
// that stand for them in a clientset, and a network between them and a standing.
type world struct {
	t       *testing.T
	client  *fake.Clientset
	plan    *plan.Plan
	origin  net.Listener
	network *network
	told    *told

	mu     sync.Mutex
	agents map[string]*testAgent
}

// newWorld makes a world whose plan has so many agents; none runs yet.
func newWorld(t *testing.T, replicas int32, objects ...runtime.Object) *world {
	t.Helper()
	w := &world{t: t, client: fake.NewClientset(objects...), network: newNetwork(), told: new(told),
		agents: make(map[string]*testAgent)}
	w.origin = serve(t, "127.0.0.1:0", "origin")
	w.plan = newPlan(t, replicas, w.config("4f1c"))
	t.Cleanup(w.network.close)
	return w
}

func (w *world) config(identity string) agent.Config {
	return agent.Config{
		Version: wire.Version, Name: "service-middle", Identity: identity, Mode: plan.Divert, LinkPort: linkPort,
		ReadyPort: linkPort - 1, ProxyPort: linkPort - 2,
		Ports: []agent.Port{{Port: port, Protocol: agent.TCP, Origin: w.origin.Addr().String()}},
		Hold:  agent.Duration(soon), DrainTimeout: agent.Duration(time.Second),
	}
}

// newPlan is as much of a plan as a standing reads.
func newPlan(t *testing.T, replicas int32, config agent.Config) *plan.Plan {
	t.Helper()
	text, err := json.Marshal(config)
	require.NoError(t, err)
	name := plan.ObjectName(config.Name)
	deployment := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}
	deployment.Spec.Replicas = &replicas
	deployment.Spec.Template.Spec.Containers = []corev1.Container{
		{Name: "main", Image: "registry.example/agent:1",
			Env: []corev1.EnvVar{{Name: agent.ConfigVariable, Value: string(text)}}},
	}
	body, err := json.Marshal(deployment)
	require.NoError(t, err)
	return &plan.Plan{
		Name: config.Name, Namespace: namespace, Identity: config.Identity, Agent: name, Mode: plan.Divert,
		Prepare: []plan.Step{{Object: plan.Object{Kind: "Deployment", Name: name}, Do: plan.Request{Body: body}}},
	}
}

// testAgent is an agent and its pod.
type testAgent struct {
	pod   *corev1.Pod
	stop  func()
	mu    sync.Mutex
	where map[string]string // from the address asked for to that given
}

func (a *testAgent) address(host string, port int) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.where[net.JoinHostPort(host, strconv.Itoa(port))]
}

// start runs an agent and adds its pod.
func (w *world) start(name string, identity ...string) *testAgent {
	w.t.Helper()
	a := w.run(name, append(identity, "4f1c")[0])
	w.addPod(a.pod)
	return a
}

// run runs an agent whose pod nobody knows of yet.
func (w *world) run(name, identity string) *testAgent {
	w.t.Helper()
	a := &testAgent{pod: w.pod(name), where: make(map[string]string)}
	running := agent.New(w.config(identity), slog.New(slog.DiscardHandler))
	running.Linger = 0
	running.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
		listener, err := net.Listen(network, "127.0.0.1:0")
		if err == nil {
			a.mu.Lock()
			a.where[address] = listener.Addr().String()
			a.mu.Unlock()
		}
		return listener, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := running.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	a.stop = func() { cancel(); <-ended }
	w.t.Cleanup(a.stop)
	w.eventually(func() bool { return a.address("127.0.0.1", linkPort) != "" })
	w.mu.Lock()
	w.agents[name] = a
	w.mu.Unlock()
	return a
}

// pod is a ready one of the agent's.
func (w *world) pod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace, UID: types.UID("uid-" + name), ResourceVersion: "1",
			Labels: map[string]string{plan.AgentLabel: plan.AgentID(w.plan.Name, w.plan.Identity)},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
}

func (w *world) addPod(pod *corev1.Pod) {
	w.t.Helper()
	_, err := w.client.CoreV1().Pods(namespace).Create(w.t.Context(), pod, metav1.CreateOptions{})
	require.NoError(w.t, err)
}

func (w *world) removePod(name string) {
	w.t.Helper()
	require.NoError(w.t, w.client.CoreV1().Pods(namespace).Delete(w.t.Context(), name, metav1.DeleteOptions{}))
}

// dial connects to a pod's port, as a tunnel.Pool would.
func (w *world) dial(ctx context.Context, pod tunnel.Pod, port int) (tunnel.Conn, error) {
	w.mu.Lock()
	a := w.agents[pod.Name]
	w.mu.Unlock()
	if a == nil {
		return nil, errors.New("no such pod")
	}
	return w.network.dial(ctx, a.address("127.0.0.1", port))
}

// proxy connects to a pod's port as the API server's pod proxy does for a session.
func (w *world) proxy(ctx context.Context, pod tunnel.Pod, port int) (io.ReadWriteCloser, error) {
	w.mu.Lock()
	a := w.agents[pod.Name]
	w.mu.Unlock()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.address("", port), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", podproxy.Protocol)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	return response.Body.(io.ReadWriteCloser), nil
}

// standing runs a standing until the test is over, and waits until it watches pods.
func (w *world) standing(local ...Local) (*Intercept, *running) {
	w.t.Helper()
	return w.standingAs(func(*Config) {}, local...)
}

// standingOf is standing for a claim.
func (w *world) standingOf(c claim.Claim, local ...Local) (*Intercept, *running) {
	w.t.Helper()
	return w.standingAs(func(config *Config) { config.Claim = c }, local...)
}

// standingAs is standing with more to its configuration.
func (w *world) standingAs(change func(*Config), local ...Local) (*Intercept, *running) {
	w.t.Helper()
	config := Config{Client: w.client, Dial: w.dial, Plan: w.plan, Claim: newClaim(), Local: local, Event: w.told.event}
	change(&config)
	s, err := New(config)
	require.NoError(w.t, err)
	s.timing.stuck, s.timing.attempt, s.timing.rollout.Poll = 300*time.Millisecond, 300*time.Millisecond,
		20*time.Millisecond
	s.timing.changeRest = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{ended: make(chan error, 1)}
	go func() { r.ended <- s.Run(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-r.ended })
	w.t.Cleanup(func() { r.stop() })
	w.watches("pods", 1)
	return s, r
}

// newClaim is one on all that comes to the agents' port.
func newClaim() claim.Claim { return claim.Claim{ID: claim.NewID(), Ports: []int{port}} }

// running is a standing's Run.
type running struct {
	stop  func() error // ends it, and returns what Run does
	ended chan error
}

// watches waits until so many watches of a resource have been opened: the
// clientset tells none of what was before.
func (w *world) watches(resource string, n int) {
	w.t.Helper()
	w.eventually(func() bool {
		opened := 0
		for _, action := range w.client.Actions() {
			if action.GetVerb() == "watch" && action.GetResource().Resource == resource {
				opened++
			}
		}
		return opened >= n
	})
}

// deafWatches makes watches of a resource tell nothing.
func (w *world) deafWatches(resource string) {
	w.client.PrependWatchReactor(resource, func(clienttesting.Action) (bool, watch.Interface, error) {
		return true, watch.NewRaceFreeFake(), nil
	})
}

func (w *world) eventually(condition func() bool) {
	w.t.Helper()
	require.Eventually(w.t, condition, soon, 2*time.Millisecond)
}

// who connects to the agent as a client, and returns who greets it.
func (a *testAgent) who() string {
	conn, err := net.Dial("tcp", a.address("", port))
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(soon / 5)) // one that is lost on the way is not asked for ever
	name, err := io.ReadAll(conn)
	if err != nil {
		return err.Error()
	}
	return string(name)
}

// serve greets every connection with name, until the listener is closed.
func serve(t *testing.T, address, name string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				io.WriteString(conn, name)
				conn.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, conn)
			})
		}
	})
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return listener
}

// told is what a standing has told.
type told struct {
	mu     sync.Mutex
	events []Event
}

func (t *told) event(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
}

func (t *told) all() []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.events)
}

// has reports that an event was told.
func (t *told) has(is func(Event) bool) bool { return slices.ContainsFunc(t.all(), is) }

// traffic is where the port's connections go, as told last.
func (t *told) traffic() (last TrafficEvent) {
	for _, e := range t.all() {
		if e.Traffic != nil {
			last = *e.Traffic
		}
	}
	return last
}

// network carries connections. It can be cut, or swallow everything.
type network struct {
	mu    sync.Mutex
	hole  bool
	conns map[*lineConn]bool
}

func newNetwork() *network { return &network{conns: make(map[*lineConn]bool)} }

// lineConn is a connection through the network.
type lineConn struct {
	duplex.TCP
	ended     chan struct{}
	end       func()
	swallowed chan struct{} // closed when nothing passes any more, for good
	swallow   func()
}

func (n *network) dial(ctx context.Context, address string) (tunnel.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hole {
		n.mu.Unlock()
		<-ctx.Done()
		n.mu.Lock()
		return nil, context.Cause(ctx)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &lineConn{TCP: duplex.TCP{TCPConn: conn.(*net.TCPConn)}, ended: make(chan struct{}),
		swallowed: make(chan struct{})}
	c.end = sync.OnceFunc(func() { close(c.ended) })
	c.swallow = sync.OnceFunc(func() { close(c.swallowed) })
	n.conns[c] = true
	return c, nil
}

// cut breaks all connections off.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.TCP.Abort()
	}
	clear(n.conns)
}

// swallow lets nothing pass on the connections there are, never again, nor open
// new ones until back.
func (n *network) swallow() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hole = true
	for c := range n.conns {
		c.swallow()
	}
}

func (n *network) back() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hole = false
}

func (n *network) close() { n.cut() }

// hang waits for the end of a connection that is swallowed.
func (c *lineConn) hang() {
	select {
	case <-c.swallowed:
		<-c.ended
	default:
	}
}

func (c *lineConn) Read(p []byte) (int, error) {
	n, err := c.TCP.Read(p)
	c.hang()
	return n, err
}

func (c *lineConn) Write(p []byte) (int, error) {
	c.hang()
	return c.TCP.Write(p)
}

func (c *lineConn) Abort() { c.end(); c.TCP.Abort() }

func (c *lineConn) Close() error { c.end(); return c.TCP.Close() }
