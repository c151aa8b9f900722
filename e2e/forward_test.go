package e2e

import (
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// get fetches a URL by a program that resolves names in its own way.
func get(t *testing.T, program, address string) string {
	t.Helper()
	commands := map[string][]string{
		"curl": {"curl", "-sS", "--fail", "--max-time", "20", "--noproxy", "*", address},
		"python": {"python3", "-c", "import sys, urllib.request as u; " +
			"print(u.build_opener(u.ProxyHandler({})).open(sys.argv[1], timeout=20).read().decode(), end='')", address},
		"go": {goclientPath(), address},
	}
	args := commands[program]
	out, err := run(t.Context(), 30*time.Second, args[0], args[1:]...)
	require.NoError(t, err, "%s %s: %s", program, address, out)
	return out
}

func TestNamesLeadToServicesForEveryProgram(t *testing.T) {
	n := sharedExamples(t)
	before := hostsFile(t)
	d := startForward(t, "-n", n.name)
	for _, program := range []string{"curl", "python", "go"} {
		t.Run(program, func(t *testing.T) {
			for address, expected := range map[string][]string{
				"http://service-front/": {"service-front on service-front-", "service-middle on service-middle-",
					"service-back on service-back-"},
				"http://service-middle." + n.name + ".svc.cluster.local:8080/":  {"service-middle on service-middle-"},
				"http://service-middle." + n.name + ".svc.cluster.local.:8080/": {"service-middle on service-middle-"},
				"http://service-back." + n.name + "/":                           {"service-back on service-back-"},
				"http://service-back." + n.name + ".svc/":                       {"service-back on service-back-"},
				"http://service-store:8080/":                                    {"service-store on service-store-"},
				"http://service-store-0.service-store:8080/":                    {"service-store on service-store-0"},
				"http://service-store-1.service-store." + n.name + ".svc:8080/": {"service-store on service-store-1"},
			} {
				answer := get(t, program, address)
				for _, text := range expected {
					require.Contains(t, answer, text, address)
				}
			}
		})
	}
	require.NotEqual(t, before, hostsFile(t))
	d.stop()
	require.Equal(t, before, hostsFile(t))
}

func TestBothReplicasGetTraffic(t *testing.T) {
	n := sharedExamples(t)
	startForward(t, "-n", n.name, "service-back")
	answers := make(map[string]bool)
	for range 10 {
		answers[get(t, "curl", "http://service-back/")] = true
	}
	require.Len(t, answers, 2)
}

func TestWhatCannotBeForwardedIsSaid(t *testing.T) {
	n := sharedExamples(t)
	d := startForward(t, "-n", n.name)
	for service, reason := range map[string]string{"service-udp": "123/UDP", "service-external": "ExternalName",
		"service-manual": "no selector"} {
		e := d.await(service, readyTimeout, func(e event) bool { return e.Service == service })
		require.Equal(t, "skipped", e.State)
		require.Contains(t, e.Reason, reason)
	}
	out, err := run(t.Context(), 20*time.Second, devtunPath(), "forward", "--kubeconfig", kubeconfig(), "-n", n.name,
		"service-udp")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 6, exit.ExitCode(), out)
	require.Contains(t, out, "123/UDP")
}

func TestSelections(t *testing.T) {
	n, other := newNamespace(t).examples(), sharedExamples(t)
	services := func(d *devtun) (found []string) {
		for _, e := range d.since(0) {
			if e.Type == "service" && e.State == "ready" && e.Pod == "" {
				found = append(found, strings.ReplaceAll(e.Service+"."+e.Namespace, n.name, "A"))
			}
		}
		return found
	}
	kubectl(t, "label", "-n", n.name, "service/service-back", "tier=last")
	for name, c := range map[string]struct {
		args     []string
		expected []string
	}{
		"all": {[]string{"-n", n.name},
			[]string{"service-back.A", "service-front.A", "service-middle.A", "service-store.A"}},
		"named": {[]string{"-n", n.name, "service-front", "svc/service-back"},
			[]string{"service-back.A", "service-front.A"}},
		"elsewhere": {[]string{"-n", n.name, "service-front." + other.name}, []string{"service-front." + other.name}},
		"but for": {[]string{"-n", n.name, "--except", "service-front", "--except", "service-store"},
			[]string{"service-back.A", "service-middle.A"}},
		"by label": {[]string{"-n", n.name, "-l", "tier=last"}, []string{"service-back.A"}},
		"by context": {[]string{"-n", n.name, "--as", "kubernetes-admin", "--as-group", "system:masters", "service-back"},
			[]string{"service-back.A"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := startForward(t, c.args...)
			require.ElementsMatch(t, c.expected, services(d))
			d.stop()
		})
	}
	t.Run("two namespaces", func(t *testing.T) {
		d := startForward(t, "-n", n.name, "-n", other.name)
		require.Len(t, services(d), 8)
		require.Contains(t, get(t, "curl", "http://service-back/"), "service-back on")
		require.Contains(t, get(t, "curl", "http://service-back."+other.name+"/"), "service-back on")
		d.stop()
	})
	t.Run("all namespaces", func(t *testing.T) {
		d := startForward(t, "-A")
		require.Contains(t, services(d), "service-front.A")
		require.Contains(t, services(d), "service-front."+other.name)
		d.stop()
	})
}

func TestPortsCanBeMoved(t *testing.T) {
	n := sharedExamples(t)
	startForward(t, "-n", n.name, "--port", "service-back:8080:80", "--port", "service-middle:9999:8080")
	require.Contains(t, get(t, "curl", "http://service-back:8080/"), "service-back on")
	require.Contains(t, get(t, "curl", "http://service-middle:9999/"), "service-middle on")
	_, err := url.Parse("http://service-back/")
	require.NoError(t, err)
	out, err := run(t.Context(), 10*time.Second, "curl", "-sS", "--max-time", "5", "http://service-back/")
	require.Error(t, err, out)
}

func TestServicesComeAndGoWhileItRuns(t *testing.T) {
	n := newNamespace(t).testserver("one", 1)
	d := startForward(t, "-n", n.name)
	n.testserver("two", 1)
	d.state("two", "ready", 10*time.Second)
	require.Contains(t, get(t, "curl", "http://two/who"), "two-")
	kubectl(t, "delete", "service", "-n", n.name, "one")
	d.state("one", "gone", 10*time.Second)
	require.NotContains(t, hostsFile(t), "one."+n.name)
	require.Contains(t, hostsFile(t), "two."+n.name)
}

func TestAServiceWithoutPodsWaits(t *testing.T) {
	n := newNamespace(t).testserver("web", 0)
	d := startForward(t, "-n", n.name)
	d.state("web", "waiting", readyTimeout)
	answered := make(chan string, 1)
	go func() {
		out, _ := run(t.Context(), 30*time.Second, "curl", "-sS", "--max-time", "25", "http://web/who")
		answered <- out
	}()
	n.scale("web", 1)
	require.Contains(t, <-answered, "web-", "a connection is held until a pod is ready")
	d.state("web", "ready", readyTimeout)
}

// TestPodsOfAServiceWithAnAddress reaches the pods of a StatefulSet by their names,
// which they have in the cluster though their service is not headless.
func TestPodsOfAServiceWithAnAddress(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	text, err := os.ReadFile("../examples/manifests/service-store.yaml")
	require.NoError(t, err)
	manifest := strings.Replace(string(text), "  clusterIP: None\n", "", 1)
	require.NotEqual(t, string(text), manifest)
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		n.apply(document)
	}
	n.allReady()
	d := startForward(t, "-n", n.name)
	for _, pod := range []string{"service-store-0", "service-store-1"} {
		d.await(pod, readyTimeout, func(e event) bool { return e.Type == "service" && e.Pod == pod && e.State == "ready" })
		url, want := "http://"+pod+".service-store:8080/", "service-store on "+pod
		require.Contains(t, n.ask("web", url).answer(t), want, "in the cluster")
		for range 2 {
			require.Contains(t, get(t, "curl", url), want)
		}
	}
}
