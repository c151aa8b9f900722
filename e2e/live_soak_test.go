//go:build soak

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// TestSoakInterceptFromTheTable begins and ends intercepts in a session of forwards: given
// back, ended with the session, and refused.
func TestSoakInterceptFromTheTable(t *testing.T) {
	n := newNamespace(t).examples()
	before, hosts := n.trace(), hostsFile(t)
	local := &localProcess{t: t, address: "127.0.0.1:9090"} // the container's port
	t.Cleanup(local.stop)
	local.start()
	s := newScreen(t, newUser(t, helperRule))
	s.resize(120, 30)
	s.enter(devtunPath() + " forward -n " + n.name)
	s.shows(`^›● service-back `)
	answers := func(with string) {
		t.Helper()
		require.Eventually(t, func() bool {
			answer, err := n.client.CoreV1().Services(n.name).ProxyGet("http", "service-front", "80", "/",
				nil).DoRaw(t.Context())
			return err == nil && strings.Contains(string(answer), with)
		}, readyTimeout, 100*time.Millisecond)
	}

	s.key("/", "m", "i", "d", "Enter", "i")
	s.shows(`^intercepting service-middle$`)
	s.key("Escape")
	text := s.shows(`^.● service-middle:8080 +localhost:9090 `)
	require.NotRegexp(t, `(?m)● service-middle +http`, text, "it is forwarded no more")
	answers(developerSays)
	s.key("Home", "i")
	s.shows(`^giving service-middle back$`)
	s.shows(`^.● service-middle +http://service-middle:8080/`)
	s.shows(`restored: Deployment "service-middle"$`)
	answers("service-middle on service-middle-")
	n.noAgents()
	n.asTraced(before)

	s.key("/", "m", "i", "d", "Enter", "i")
	s.shows(`^.● service-middle:8080 +localhost:9090 `)
	answers(developerSays)
	s.key("q")
	s.shows(shellPrompt)
	s.enter("echo ended with $?")
	s.shows(`^ended with 0$`)
	n.noAgents()
	n.asTraced(before)
	require.Equal(t, hosts, hostsFile(t))
}

// TestSoakTableWithFewRights says which right a key lacks, and all goes on.
func TestSoakTableWithFewRights(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	u := newUser(t, helperRule)
	kubeconfig, err := os.ReadFile(userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("few", enough...)}))
	require.NoError(t, err)
	u.write("few", string(kubeconfig), 0o600)
	s := newScreen(t, u)
	s.enter(fmt.Sprintf("%s forward -n %s --kubeconfig few", devtunPath(), n.name))
	s.shows(`^›● web `)
	s.key("l", "l")
	s.shows(`^pods' logs need the right to get pods/log in namespace ` + n.name + `: 'devtun rbac logs' prints the Role$`)
	s.key("Escape")
	s.shows(`^›● web `)
	s.key("i")
	s.shows(`note: web is not intercepted: rights are missing in namespace ` + n.name)
	s.shows(`hint: 'devtun rbac intercept' prints the Role`)
	s.shows(`^›● web `)
	s.key("q")
	s.shows(shellPrompt)
}
