//go:build soak

package e2e

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// front starts a server before the API server, which sends on as the admin what handle does
// not answer, and returns a kubeconfig that leads there.
func front(t *testing.T, handle func(w http.ResponseWriter, r *http.Request) (answered bool),
	answer func(*http.Response) error) string {
	t.Helper()
	config := restConfig(t)
	config.NextProtos = []string{"http/1.1"} // HTTP/2 has no upgrades
	transport, err := rest.TransportFor(config)
	require.NoError(t, err)
	api, err := url.Parse(config.Host)
	require.NoError(t, err)
	quiet := log.New(io.Discard, "", 0)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(api) }, Transport: transport,
		FlushInterval: -1, ErrorLog: quiet, ModifyResponse: answer}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !handle(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	admin := adminConfig(t)
	current := admin.Contexts[admin.CurrentContext]
	admin.AuthInfos[current.AuthInfo] = &clientcmdapi.AuthInfo{}
	admin.Clusters[current.Cluster] = &clientcmdapi.Cluster{Server: server.URL,
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})}
	return writeConfig(t, admin)
}

// passes answers nothing.
func passes(http.ResponseWriter, *http.Request) bool { return false }

// TestSoakDoctorNamesTheFault of this machine, and of the way to the API server, that a test
// has made; and soon.
func TestSoakDoctorNamesTheFault(t *testing.T) {
	n := sharedWeb(t)
	own := newNamespace(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	plugin := func(command string, args ...string) string {
		return userConfig(t, &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{Command: command, Args: args,
			APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode}})
	}
	stranger := func() string {
		config := adminConfig(t)
		other := httptest.NewTLSServer(nil)
		other.Close()
		config.Clusters[config.Contexts[config.CurrentContext].Cluster].CertificateAuthorityData =
			pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Certificate().Raw})
		return writeConfig(t, config)
	}
	withdrawn := own.user("withdrawn", enough...)
	require.NoError(t, own.client.CoreV1().ServiceAccounts(own.name).Delete(t.Context(), "withdrawn",
		metav1.DeleteOptions{}))
	hole := newProxy(t)
	hole.hole.open.Store(true)
	for name, c := range map[string]struct {
		kubeconfig  string
		args        []string
		check, says string
	}{
		"no kubeconfig": {filepath.Join(t.TempDir(), "none"), nil, "kubeconfig", "no such file"},
		"no context":    {kubeconfig(), []string{"--context", "nowhere"}, "context", `no context "nowhere"`},
		"it refuses":    {serverConfig(t, "https://"+closed.Addr().String()), nil, "reachable", "refuses connections"},
		"it is silent":  {serverConfig(t, "https://"+silent.Addr().String()), nil, "reachable", "does not answer to TLS"},
		"a hole":        {hole.kubeconfig(), nil, "reachable", "does not answer"},
		"another one":   {stranger(), nil, "certificate", "an authority that the kubeconfig does not know"},
		"no plugin":     {plugin("devtun-no-such-plugin"), nil, "credential-plugin", "is not there"},
		"plugin fails":  {plugin("sh", "-c", "echo expired >&2; exit 1"), nil, "credential-plugin", "gives no credentials"},
		"plugin waits":  {plugin("sleep", "60"), nil, "credential-plugin", "gave no credentials within"},
		"wrong token":   {userConfig(t, &clientcmdapi.AuthInfo{Token: "nonsense"}), nil, "credentials", "does not accept"},
		"withdrawn":     {userConfig(t, &clientcmdapi.AuthInfo{Token: withdrawn}), nil, "credentials", "does not accept"},
		"no namespace": {kubeconfig(), []string{"-n", "no-such-namespace"}, "namespace",
			`no namespace "no-such-namespace"`},
		"no rights": {userConfig(t, &clientcmdapi.AuthInfo{Token: own.user("nothing")}), nil, "rights-forward",
			"list services"},
		"no portforward": {userConfig(t, &clientcmdapi.AuthInfo{Token: own.user("looks", enough[:2]...)}), nil,
			"rights-forward", "missing are create pods/portforward"},
		"no upgrades": {front(t, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Upgrade") == "" {
				return false
			}
			http.Error(w, "Bad Request", http.StatusBadRequest)
			return true
		}, nil), nil, "upgrade-spdy", "no port-forward passes"},
		"a wrong clock": {front(t, passes, func(r *http.Response) error {
			r.Header.Set("Date", time.Now().Add(-2*time.Hour).UTC().Format(http.TimeFormat))
			return nil
		}), nil, "clock", "ahead of the API server's"},
		"nothing behind": {front(t, func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
			return true
		}, nil), nil, "reachable", "answers 503"},
	} {
		t.Run(name, func(t *testing.T) {
			args := c.args
			if len(args) == 0 || args[0] != "-n" {
				args = append([]string{"-n", own.name}, args...)
			}
			d := doctor(t, c.kubeconfig, nil, args...)
			requireFault(t, d, c.check, c.says)
			require.Less(t, d.took, doctorLimit)
		})
	}
	t.Run("a slow way", func(t *testing.T) {
		slow := newProxy(t)
		slow.add("latency", 1, `{"latency":170}`)
		d := doctor(t, slow.kubeconfig(), nil, "-n", own.name)
		require.Zero(t, d.fault())
		require.Equal(t, "warning", d.result("round-trip").Status, "%+v", d.Results)
		require.Equal(t, "ok", d.result("rights-forward").Status, "%+v", d.Results)
		require.Less(t, d.took, doctorLimit)
	})
	t.Run("a line of another tool", func(t *testing.T) {
		change(t, "/etc/hosts", func(text string) string { return text + "127.1.27.1 web # kubefwd\n" })
		d := doctor(t, kubeconfig(), nil, "-n", n.name, "web")
		requireFault(t, d, "other-names", "web leads to 127.1.27.1")
	})
	t.Run("stale names", func(t *testing.T) {
		d := startForward(t, "-n", n.name)
		d.addr("web", 80)
		require.NoError(t, d.cmd.Process.Signal(syscall.SIGKILL))
		<-d.exited
		requireFault(t, doctor(t, kubeconfig(), nil, "-n", n.name, "web"), "stale-names", "lead nowhere")
		out, err := run(t.Context(), readyTimeout, devtunPath(), "clean")
		require.NoError(t, err, out)
		require.Zero(t, doctor(t, kubeconfig(), nil, "-n", n.name, "web").fault())
	})
	t.Run("no hosts file in the name service", func(t *testing.T) {
		change(t, "/etc/nsswitch.conf", func(string) string { return "hosts: dns\n" })
		requireFault(t, doctor(t, kubeconfig(), nil, "-n", n.name), "name-order", "do not look into the hosts file")
	})
	t.Run("a proxy that knows no services", func(t *testing.T) {
		d := doctor(t, kubeconfig(), []string{"HTTP_PROXY=http://127.0.0.1:3128"}, "-n", n.name, "web")
		require.Zero(t, d.fault())
		require.Equal(t, "warning", d.result("proxy").Status)
	})
	t.Run("a user whose shell does not find it", func(t *testing.T) {
		d := doctor(t, kubeconfig(), []string{"SHELL=/bin/sh"}, "-n", n.name)
		require.Zero(t, d.fault())
		require.Equal(t, "warning", d.result("login-shell").Status)
	})
}

// change changes a file of this machine for the test.
func change(t *testing.T, path string, edit func(string) string) {
	t.Helper()
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.WriteFile(path, before, 0o644)) })
	require.NoError(t, os.WriteFile(path, []byte(edit(string(before))), 0o644))
}

// TestSoakDoctorOfAUser: who is not root is well, whether sudo asks for a password or not, and
// finds devtun where a login shell does.
func TestSoakDoctorOfAUser(t *testing.T) {
	n := sharedWeb(t)
	for _, rule := range []string{helperRule, passwordRule} {
		u := newUser(t, rule)
		u.write(".profile", "PATH=$PATH:"+filepath.Dir(devtunPath())+"\n", 0o644)
		out, said, code := u.run("env", "SHELL=/bin/bash", devtunPath(), "doctor", "-n", n.name)
		require.Zero(t, code, out+said)
		require.True(t, strings.HasPrefix(out, "ok: no fault found in "), out)
	}
}

// TestSoakDoctorOfManyServices: all examples and a hundred services are well, and soon told.
func TestSoakDoctorOfManyServices(t *testing.T) {
	n := newNamespace(t).examples()
	var group errgroup.Group
	group.SetLimit(20)
	for i := range 100 {
		group.Go(func() error {
			_, err := n.client.CoreV1().Services(n.name).Create(t.Context(), &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("service-%d", i)},
				Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "service-back"}, Ports: []corev1.ServicePort{
					{Name: "http", Port: 80, TargetPort: intstr.FromString("web")},
				}},
			}, metav1.CreateOptions{})
			return err
		})
	}
	require.NoError(t, group.Wait())
	for range 3 {
		d := doctor(t, kubeconfig(), nil, "-n", n.name)
		require.Zero(t, d.fault())
		require.Less(t, d.took, doctorLimit)
	}
}
