package e2e

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

// The tests of this file end intercepts in every way, and look what is left.

const (
	// standTimeout bounds the time until an intercept stands, on a busy machine.
	standTimeout = 60 * time.Second
	// backTimeout bounds the restore at its end.
	backTimeout = 60 * time.Second
)

// reaper is a way to the API server on which a devtun dies: by SIGKILL, once a
// change that it has asked for is made and before it learns of that.
type reaper struct {
	*httptest.Server
	t  *testing.T
	of string // what the paths have of the changes that are counted; "" is all

	mu     sync.Mutex
	victim *os.Process
	left   int // changes until it dies
	killed string
}

func newReaper(t *testing.T) *reaper {
	t.Helper()
	config := restConfig(t)
	config.NextProtos = []string{"http/1.1"} // HTTP/2 has no upgrades
	transport, err := rest.TransportFor(config)
	require.NoError(t, err)
	api, err := url.Parse(config.Host)
	require.NoError(t, err)
	quiet := log.New(io.Discard, "", 0) // of connections whose client is dead
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(api) }, Transport: transport, FlushInterval: -1, ErrorLog: quiet,
	}
	r := &reaper{t: t}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if !changes(request) || !strings.Contains(request.URL.Path, r.of) || !r.last(request) {
			proxy.ServeHTTP(w, request)
			return
		}
		proxy.ServeHTTP(httptest.NewRecorder(), request)
		r.kill()
		<-request.Context().Done()
	}))
	r.Config.ErrorLog = quiet
	r.StartTLS()
	t.Cleanup(func() { r.CloseClientConnections(); r.Close() })
	return r
}

// changes reports that a request changes something in the cluster.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Header.Get("Upgrade") == "" &&
		!strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews")
}

// last counts a change, and reports that it is the one.
func (r *reaper) last(request *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left--
	if r.left == 0 {
		r.killed = request.Method + " " + request.URL.Path
	}
	return r.left == 0
}

func (r *reaper) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.victim.Kill()
}

// launch starts a devtun that dies of its kth change, and tells of events.
func (r *reaper) launch(k int, args ...string) *devtun {
	r.t.Helper()
	return r.launchPlain(k, args[0], append([]string{"-o", "json"}, args[1:]...)...)
}

// launchPlain starts one that does not.
func (r *reaper) launchPlain(k int, command string, args ...string) *devtun {
	r.t.Helper()
	config := adminConfig(r.t)
	context := config.Contexts[config.CurrentContext]
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw})
	config.Clusters[context.Cluster] = &clientcmdapi.Cluster{Server: r.URL, CertificateAuthorityData: authority}
	config.AuthInfos[context.AuthInfo] = &clientcmdapi.AuthInfo{}
	args = append([]string{command, "--kubeconfig", writeConfig(r.t, config)}, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	d := launch(r.t, exec.Command(devtunPath(), args...))
	r.victim, r.left, r.killed = d.cmd.Process, k, ""
	return d
}

// cause is the change of which the last devtun has died, "" if it has not.
func (r *reaper) cause() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.killed
}

// intercepts starts a devtun that intercepts, and waits until it stands.
func (n *namespace) intercepts(kubeconfig string, args ...string) *devtun {
	n.t.Helper()
	args = append([]string{"intercept", "--kubeconfig", kubeconfig, "-n", n.name, "-o", "json", "--no-forward"}, args...)
	d := launch(n.t, exec.Command(devtunPath(), args...))
	require.True(n.t, d.stands(), "%v: %v", args, d.since(0))
	return d
}

// stands waits until an intercept stands, or has ended before.
func (d *devtun) stands() bool {
	d.t.Helper()
	standing := func() bool {
		for _, e := range d.since(0) {
			if e.Type == "intercept" && e.State == "standing" {
				return true
			}
		}
		return false
	}
	require.Eventually(d.t, func() bool { return standing() || d.over() }, standTimeout, 10*time.Millisecond, "it stands")
	return standing()
}

func (d *devtun) over() bool {
	select {
	case <-d.exited:
		return true
	default:
		return false
	}
}

// ends waits for the end, and returns the exit code and what went to stderr.
func (d *devtun) ends() (code int, stderr string) {
	d.t.Helper()
	select {
	case <-d.exited:
	case <-time.After(backTimeout):
		d.cmd.Process.Signal(syscall.SIGQUIT)
		<-d.exited
		require.FailNow(d.t, "devtun did not end", "%s", d.stderr.String())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cmd.ProcessState.ExitCode(), d.stderr.String()
}

// gives ends an intercept as Ctrl-C does.
func (d *devtun) gives() (code int, stderr string) {
	d.t.Helper()
	require.NoError(d.t, d.cmd.Process.Signal(os.Interrupt))
	return d.ends()
}

// dies ends it so that it can do nothing about it.
func (d *devtun) dies() {
	d.t.Helper()
	require.NoError(d.t, d.cmd.Process.Kill())
	d.ends()
}

// devtun runs another command on the namespace to its end.
func (n *namespace) devtun(command string, args ...string) (stdout, stderr string, code int) {
	n.t.Helper()
	return ended(n.t, backTimeout, append([]string{command, "--kubeconfig", kubeconfig(), "-n", n.name}, args...)...)
}

// someChanges is the step between those changes of a command of which it dies, where
// that is not each in turn. The first is the plan.
const someChanges = 5

// TestInterceptKilledAtRequests has the real command die of some of its changes, of
// the swap and of the restore after it.
func TestInterceptKilledAtRequests(t *testing.T) { interceptKilledAtRequests(t, someChanges) }

func interceptKilledAtRequests(t *testing.T, step int) {
	for _, c := range []struct{ about, name, mode string }{
		{"divert", "service-middle", "--replace=false"},
		{"replace", "sts/service-store", "--replace"},
	} {
		t.Run(c.about, func(t *testing.T) {
			t.Parallel()
			n, objects, reaper := described(t), dynamicClient(t), newReaper(t)
			before, err := n.objects(t.Context(), objects)
			require.NoError(t, err)
			for k := 1; ; k += step {
				d := reaper.launch(k, "intercept", c.name, c.mode, "-n", n.name, "--no-forward")
				if d.stands() {
					d.cmd.Process.Signal(os.Interrupt) // it may die first: it also changes things while it stands
				}
				code, stderr := d.ends()
				cause := reaper.cause()
				about := fmt.Sprintf("killed after change %d, %s", k, cause)
				if cause == "" {
					require.Zero(t, code, stderr)
					n.asBefore(objects, before, "not killed")
					require.Greater(t, k, 7, "it was killed often enough")
					return
				}
				require.Equal(t, -1, code, about)
				_, complaint, code := n.devtun("restore")
				if code == exitNotFound { // nothing stood yet, or any more
					require.Contains(t, complaint, "no intercepts in namespace")
				} else {
					require.Zero(t, code, "%s: %s", about, complaint)
				}
				n.asBefore(objects, before, about)
				t.Log(about)
			}
		})
	}
}

// TestRestoreKilledAtRequests has `devtun restore` die likewise; another one finishes.
func TestRestoreKilledAtRequests(t *testing.T) { restoreKilledAtRequests(t, 2) }

func restoreKilledAtRequests(t *testing.T, step int) {
	n, objects, reaper := described(t), dynamicClient(t), newReaper(t)
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	for k := 1; ; k += step {
		n.intercepts(kubeconfig(), "service-middle").dies()
		d := reaper.launch(k, "restore", "-n", n.name)
		code, stderr := d.ends()
		cause := reaper.cause()
		if cause == "" {
			require.Zero(t, code, stderr)
			require.Greater(t, k, 2)
			n.asBefore(objects, before, "not killed")
			return
		}
		_, complaint, code := n.devtun("restore", "service-middle")
		if code != exitNotFound {
			require.Zero(t, code, complaint)
		}
		n.asBefore(objects, before, cause)
	}
}

// TestRestoreKeepsWhatOthersHaveChanged: it stays, is named while the intercept
// stands, and again at its end.
func TestRestoreKeepsWhatOthersHaveChanged(t *testing.T) {
	service := []string{"patch", "service", "service-middle", "-p", `{"spec":{"selector":{"app":"theirs"}}}`}
	scale := []string{"scale", "deploy/service-middle", "--replicas=3"}
	for name, c := range map[string]struct {
		mode, conflict, field, found string
		change                       []string
	}{
		"selector": {"--replace=false",
			`Service "service-middle" has been changed by somebody else: /spec/selector is {"app":"theirs"}, not `,
			"{.spec.selector}", `{"app":"theirs"}`, service},
		"replicas": {"--replace", `Deployment "service-middle" has been scaled by somebody else: it has 3 replicas, not 0`,
			"{.spec.replicas}", "3", scale},
	} {
		for end, finish := range map[string]func(n *namespace, d *devtun) (code int, stderr string){
			"by itself": func(_ *namespace, d *devtun) (int, string) { return d.gives() },
			"by another": func(n *namespace, d *devtun) (int, string) {
				d.dies()
				_, stderr, code := n.devtun("restore")
				return code, stderr
			},
		} {
			t.Run(name+" "+end, func(t *testing.T) {
				t.Parallel()
				n, objects := described(t), dynamicClient(t)
				before, err := n.objects(t.Context(), objects)
				require.NoError(t, err)
				d := n.intercepts(kubeconfig(), "service-middle", c.mode)
				kubectl(t, append(c.change, "-n", n.name)...)
				d.await("a word about it", soon, func(e event) bool {
					return e.Type == "warning" && strings.HasPrefix(e.Message, c.conflict)
				})
				code, stderr := finish(n, d)
				require.Equal(t, exitConflict, code, stderr)
				message, hint := complained(t, stderr)
				require.Contains(t, message, "restored, but for what somebody else has changed meanwhile: "+c.conflict)
				require.Contains(t, hint, "their change stays")
				object := strings.ToLower(strings.SplitN(c.conflict, " ", 2)[0]) + "/service-middle"
				require.Equal(t, c.found, kubectl(t, "get", "-n", n.name, object, "-o", "jsonpath="+c.field))
				n.onlyChanged(objects, before, strings.SplitN(object, "/", 2)[0]+"s/service-middle")
			})
		}
	}
}

// onlyChanged waits until everything but one object is as it was.
func (n *namespace) onlyChanged(client dynamic.Interface, before map[string]string, object string) {
	n.t.Helper()
	require.Contains(n.t, before, object)
	require.Eventually(n.t, func() bool {
		now, err := n.objects(n.t.Context(), client)
		if err != nil || len(now) != len(before) {
			return false
		}
		for key, text := range before {
			if key != object && now[key] != text {
				return false
			}
		}
		return true
	}, time.Minute, pollEvery, "nothing else is changed")
}

// TestInterceptPutBackByOthers is what a controller that keeps things as they are
// in Git does, and what comes of it.
func TestInterceptPutBackByOthers(t *testing.T) {
	t.Parallel()
	n := described(t)
	d := n.intercepts(kubeconfig(), "service-middle")
	kubectl(t, "apply", "-n", n.name, "-f", "../examples/manifests/service-middle.yaml")
	d.await("a word about it", soon, func(e event) bool {
		return e.Type == "warning" &&
			e.Message == `somebody else has put Service "service-middle" back as it was: the intercept gets nothing from it`
	})
	kubectl(t, "delete", "service", "service-middle", "-n", n.name)
	d.await("another", soon, func(e event) bool {
		return e.Type == "warning" && e.Message == `somebody else has deleted Service "service-middle"`
	})
	code, stderr := d.gives()
	require.Zero(t, code, stderr)
	require.Eventually(t, func() bool { return len(n.left()) == 0 }, 45*time.Second, 100*time.Millisecond,
		"the garbage collector takes its time")
}

// left is what there is of devtun's.
func (n *namespace) left() (names []string) {
	n.t.Helper()
	for name := range strings.Lines(kubectl(n.t, "get", "-n", n.name,
		"configmaps,services,deployments,serviceaccounts,roles,rolebindings,networkpolicies",
		"-l", "app.kubernetes.io/managed-by=devtun", "-o", "name")) {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

// TestInterceptsOfOthers has a second user meet what stands, see it, and end it.
func TestInterceptsOfOthers(t *testing.T) {
	t.Parallel()
	n, objects := described(t), dynamicClient(t)
	lister := userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("lister", target.Rules(target.ListRights())...)})
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)

	out, stderr, code := n.devtun("list")
	require.Zero(t, code)
	require.Empty(t, out)
	require.Equal(t, "no intercepts in namespace "+n.name+"\n", stderr)
	for _, args := range [][]string{nil, {"service-middle"}} {
		_, stderr, code = n.devtun("restore", args...)
		require.Equal(t, exitNotFound, code, stderr)
		complained(t, stderr)
	}
	out, stderr, code = n.devtun("restore", "--all")
	require.Zero(t, code, "nothing is as good as all: %s", stderr)
	require.Empty(t, out)

	first := n.intercepts(kubeconfig(), "service-middle", "--grace", "20s")
	standing, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	machine, err := os.Hostname()
	require.NoError(t, err)
	for _, name := range []string{"service-middle", "svc/service-middle", "deploy/service-middle"} {
		for _, mode := range []string{"--replace", "--replace=false"} {
			_, stderr, code := n.devtun("intercept", name, mode, "--no-forward")
			message, hint := complained(t, stderr)
			require.Equal(t, exitRefused, code, stderr)
			about, advice := `^these requests are claimed already: everything of root on `,
				"they are yours; if no devtun holds them any more: devtun restore service-middle -n "+n.name
			if mode == "--replace" {
				about, advice = `^Deployment "service-middle" is intercepted by root on `,
					"if nobody needs it any more: devtun restore service-middle -n "+n.name+" --all"
			}
			require.Regexp(t, about+regexp.QuoteMeta(machine)+` since 20\d\d-`, message)
			require.Equal(t, advice, hint)
		}
	}
	again, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	for key := range standing {
		if !strings.HasPrefix(key, "configmaps/") { // which is touched
			require.Equal(t, standing[key], again[key], "whoever was refused has changed nothing")
		}
	}
	require.Len(t, again, len(standing))

	second := n.intercepts(kubeconfig(), "service-back", "--replace")
	out, _, code = n.devtun("list")
	require.Zero(t, code)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 3, out)
	require.Regexp(t, `^NAME +SERVICES +MODE +OWNER +MACHINE +SINCE +RULE +CONNECTED +REQUESTS +TRAFFIC +NOTE$`, lines[0])
	require.Regexp(t,
		`^service-back +service-back +replace +root +\S+ +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d +everything +yes +0 +held +-$`,
		lines[1])
	require.Regexp(t,
		`^service-middle +service-middle +divert +root +\S+ +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d +everything +yes +0 +cluster +-$`,
		lines[2])

	second.dies()
	require.Eventually(t, func() bool {
		out, _, code := n.devtun("list", "-o", "json")
		var listed struct {
			Name, Namespace, Mode, Connected, Traffic string
			Workload                                  struct{ Kind, Name string }
			Services                                  []string
			Owner                                     struct{ User, Machine, Since string }
		}
		line, _, _ := strings.Cut(out, "\n")
		return code == 0 && json.Unmarshal([]byte(line), &listed) == nil && listed.Name == "service-back" &&
			listed.Namespace == n.name && listed.Mode == "replace" &&
			listed.Workload.Kind == "Deployment" && listed.Owner.User == "root" && listed.Owner.Machine == machine &&
			listed.Connected == "no" && listed.Traffic == "held"
	}, 15*time.Second, 200*time.Millisecond, "an intercept that nobody holds is seen as such")

	// The role for it is enough to list, agents' answers included.
	require.Eventually(t, func() bool {
		out, _, code := ended(t, soon, "list", "--kubeconfig", lister, "-n", n.name, "-o", "json")
		return code == 0 && strings.Count(out, `"connected":"no"`) == 1 && !strings.Contains(out, "unknown")
	}, 15*time.Second, 200*time.Millisecond)

	_, stderr, code = n.devtun("restore")
	require.Equal(t, exitUsage, code, stderr)
	message, hint := complained(t, stderr)
	require.Equal(t, fmt.Sprintf("2 intercepts stand in namespace %q", n.name), message)
	require.Equal(t, "name one of service-back, service-middle, or pass --all", hint)
	_, stderr, code = n.devtun("restore", "service-midle")
	require.Equal(t, exitNotFound, code, stderr)
	_, hint = complained(t, stderr)
	require.Equal(t, "did you mean service-middle?", hint)
	out, stderr, code = ended(t, soon, "__complete", "restore", "--kubeconfig", kubeconfig(), "-n", n.name, "")
	require.Zero(t, code, stderr)
	require.Contains(t, out, "service-back\nservice-middle\n")

	out, stderr, code = n.devtun("restore", "--all", "-o", "json")
	require.Zero(t, code, stderr)
	require.Equal(t, 2, strings.Count(out, `"state":"restored"`), out)
	n.asBefore(objects, before, "both")
	code, stderr = first.ends()
	require.Equal(t, exitRefused, code, "whoever held it is told")
	message, _ = complained(t, stderr)
	require.Contains(t, message, "the intercept no longer stands")
}

// TestInterceptNotes has what else is there told, and dealt with.
func TestInterceptNotes(t *testing.T) {
	t.Parallel()
	n, objects := described(t), dynamicClient(t)
	n.apply("apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: scaler}\nspec: {maxReplicas: " +
		"2, minReplicas: 1, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: service-middle}, metrics: " +
		"[{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 90}}}]}")
	n.apply("apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: budget}\nspec: {maxUnavailable: 0, " +
		"selector: {matchLabels: {app: service-middle}}}")
	n.apply("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: allow}\nspec: {podSelector: " +
		"{matchLabels: {app: service-middle}}, ingress: [{from: [{podSelector: {matchLabels: {app: service-front}}}]}]}")
	kubectl(t, "label", "-n", n.name, "service/service-middle", "argocd.argoproj.io/instance=shop")
	kubectl(t, "label", "-n", n.name, "deploy/service-middle", "kustomize.toolkit.fluxcd.io/name=apps")
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	notes := []string{
		`HorizontalPodAutoscaler "scaler" goes on scaling the workload, which has few requests now`,
		`PodDisruptionBudget "budget" lets none of the workload's pods be evicted now: connections that clients keep open stay with the workload until they reconnect`,
		`Argo CD keeps Service "service-middle" as it is in Git (shop), and may undo the intercept`,
		`Flux keeps Deployment "service-middle" as it is in Git (apps), and may undo the intercept`,
	}
	out, stderr, code := n.devtun("intercept", "service-middle", "--dry-run", "-o", "yaml", "--move-connections=force")
	require.Zero(t, code, stderr)
	for _, note := range notes {
		require.Equal(t, 1, strings.Count(stderr, "note: "+note+"\n"), stderr)
	}
	require.Contains(t, stderr, "hint: suspend it meanwhile: flux suspend kustomization apps\n")
	require.Contains(t, stderr, "hint: turn its self-heal off meanwhile: argocd app set shop --self-heal=false\n")
	requireRendered(t, out, "devtun-service-middle-as-allow", "devtun-service-middle-origin",
		"devtun-origin-service-middle", "service-middle")
	now, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	require.Equal(t, before, now, "a dry run changes nothing")

	d := n.intercepts(kubeconfig(), "service-middle", "--move-connections=force")
	for _, note := range notes {
		d.await(note, readyTimeout, func(e event) bool { return e.Type == "note" && e.Message == note })
	}
	kubectl(t, "get", "networkpolicy", "-n", n.name, "devtun-service-middle-as-allow", "devtun-service-middle-origin")
	code, stderr = d.gives()
	require.Zero(t, code, stderr)
	n.asBefore(objects, before, "with company")
}

// requireRendered wants a dry run's YAML to be documents, and to be about names.
func requireRendered(t *testing.T, text string, names ...string) {
	t.Helper()
	for document := range strings.SplitSeq(text, "\n---\n") {
		var content any
		require.NoError(t, yaml.Unmarshal([]byte(document), &content), document)
	}
	for _, name := range names {
		require.Contains(t, text, name)
	}
}

// TestInterceptRolesAreEnough has a user with what `devtun rbac` prints do all that
// it is for, forwarding included.
func TestInterceptRolesAreEnough(t *testing.T) {
	t.Parallel()
	n, objects := described(t), dynamicClient(t)
	out, stderr, code := ended(t, soon, "rbac", "intercept", "replace", "restore")
	require.Zero(t, code, stderr)
	token := n.user("developer")
	for document := range strings.SplitSeq(out, "\n---\n") {
		n.apply(document)
	}
	for _, role := range []string{"intercept", "restore", "replace"} {
		kubectl(t, "create", "rolebinding", "-n", n.name, role, "--role=devtun-"+role,
			"--serviceaccount="+n.name+":developer")
	}
	config := userConfig(t, &clientcmdapi.AuthInfo{Token: token})
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	for name, args := range map[string][]string{"divert": {"service-middle"}, "replace": {"service-back", "--replace"},
		"stateful": {"sts/service-store", "--replace"}} {
		d := n.intercepts(config, append(args, "--no-forward=false")...)
		for _, e := range d.since(0) {
			require.False(t, e.Type == "note" && strings.Contains(e.Message, "right"), "%s: %s", name, e.Message)
		}
		out, stderr, code := ended(t, soon, "list", "--kubeconfig", config, "-n", n.name, "-o", "json")
		require.Zero(t, code, stderr)
		require.Contains(t, out, `"connected":"yes"`, name)
		if name == "divert" {
			code, stderr = d.gives()
		} else {
			d.dies()
			_, stderr, code = ended(t, backTimeout, "restore", "--kubeconfig", config, "-n", n.name)
		}
		require.Zero(t, code, stderr)
		n.asBefore(objects, before, name)
	}
}

// TestInterceptWithoutRightsForTheAgent: who may not grant the agent any has to be able
// to remove it. When somebody deletes the plan, the agents stay and devtun undoes.
func TestInterceptWithoutRightsForTheAgent(t *testing.T) {
	t.Parallel()
	n, objects := described(t), dynamicClient(t)
	var rights []rbacv1.PolicyRule
	for _, rule := range target.Rules(target.Rights(plan.Divert)) {
		if rule.APIGroups[0] != rbacv1.GroupName && rule.Resources[0] != "serviceaccounts" {
			rights = append(rights, rule)
		}
	}
	few := userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("few", rights...)})
	enough := userConfig(t,
		&clientcmdapi.AuthInfo{Token: n.user("enough", append(rights, allow("deployments.apps", "delete"))...)})
	n.settled()
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	_, stderr, code := ended(t, backTimeout, "intercept", "service-middle", "--kubeconfig", few, "-n", n.name,
		"--no-forward")
	require.Equal(t, exitRights, code, stderr)
	require.Contains(t, stderr, "rights are missing in namespace "+n.name+": delete deployments.apps")

	for _, end := range []string{"Ctrl-C", "restore", "the plan is deleted"} {
		d := n.intercepts(enough, "service-middle")
		require.True(t, slices.ContainsFunc(d.since(0), func(e event) bool {
			return e.Type == "note" && strings.HasSuffix(e.Message, ": the agent cannot restore by itself")
		}))
		switch end {
		case "Ctrl-C":
			code, stderr := d.gives()
			require.Zero(t, code, stderr)
		case "restore":
			d.dies()
			_, stderr, code := ended(t, backTimeout, "restore", "--kubeconfig", enough, "-n", n.name)
			require.Zero(t, code, stderr)
		default:
			kubectl(t, "delete", "configmap", "devtun-service-middle", "-n", n.name)
			code, stderr := d.ends()
			require.Equal(t, 9, code, stderr)
		}
		n.asBefore(objects, before, end)
	}
}
