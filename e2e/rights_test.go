package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// user makes a ServiceAccount that may do nothing here but what rules say, and
// returns a token of its.
func (n *namespace) user(name string, rules ...rbacv1.PolicyRule) (token string) {
	n.t.Helper()
	ctx, options := n.t.Context(), metav1.CreateOptions{}
	meta := metav1.ObjectMeta{Name: name}
	_, err := n.client.CoreV1().ServiceAccounts(n.name).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, options)
	require.NoError(n.t, err)
	_, err = n.client.RbacV1().Roles(n.name).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, options)
	require.NoError(n.t, err)
	_, err = n.client.RbacV1().RoleBindings(n.name).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: n.name}},
	}, options)
	require.NoError(n.t, err)
	granted, err := n.client.CoreV1().ServiceAccounts(n.name).CreateToken(ctx, name, &authenticationv1.TokenRequest{},
		options)
	require.NoError(n.t, err)
	return granted.Status.Token
}

// allow is a rule about one resource, written resource[/subresource][.group].
func allow(resource string, verbs ...string) rbacv1.PolicyRule {
	resource, group, _ := strings.Cut(resource, ".")
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
}

// enough is all that `devtun forward` needs.
var enough = []rbacv1.PolicyRule{
	allow("services", "list", "watch"),
	allow("endpointslices.discovery.k8s.io", "list", "watch"),
	allow("pods/portforward", "create"),
}

func TestMissingRightsAreNamedAtOnce(t *testing.T) {
	const all = "list services, watch services, list endpointslices.discovery.k8s.io, watch " +
		"endpointslices.discovery.k8s.io, create pods/portforward"
	n, other := newNamespace(t), newNamespace(t)
	nothing := userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("nothing")})
	some := userConfig(t,
		&clientcmdapi.AuthInfo{Token: n.user("some", allow("services", "get", "list"),
			allow("endpointslices.discovery.k8s.io", "list"))})
	here := userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("here", enough...)})
	for name, c := range map[string]struct {
		config  string
		args    []string
		missing string
	}{
		"all": {nothing, []string{"-n", n.name}, "in namespace " + n.name + ": " + all},
		"some": {some, []string{"-n", n.name}, "in namespace " + n.name +
			": watch services, watch endpointslices.discovery.k8s.io, create pods/portforward"},
		"for a service":     {nothing, []string{"web." + n.name}, "in namespace " + n.name + ": " + all},
		"in another":        {here, []string{"-n", n.name, "-n", other.name}, "in namespace " + other.name + ": " + all},
		"in all namespaces": {here, []string{"-A"}, "in all namespaces: " + all},
		// whether it is there must not show
		"in a namespace too": {some, []string{"-n", "no-such-namespace"}, "in namespace no-such-namespace: " + all},
	} {
		t.Run(name, func(t *testing.T) {
			message, hint := refused(t, c.config, exitRights, c.args...)
			require.Equal(t, "rights are missing "+c.missing, message)
			require.Equal(t, "ask whoever administers the cluster for a Role with these verbs and resources", hint)
		})
	}
}

func TestTheLeastRightsAreEnough(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	d := launchForward(t, userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("developer", enough...)}), "-n", n.name)
	d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
	require.Contains(t, get(t, "curl", "http://web/who"), "web-")
}

func TestCredentialsNotAccepted(t *testing.T) {
	n := newNamespace(t)
	withdrawn := n.user("withdrawn", enough...)
	require.NoError(t, n.client.CoreV1().ServiceAccounts(n.name).Delete(t.Context(), "withdrawn", metav1.DeleteOptions{}))
	for name, token := range map[string]string{"wrong": "nonsense", "withdrawn": withdrawn} {
		t.Run(name, func(t *testing.T) {
			message, hint := refused(t, userConfig(t, &clientcmdapi.AuthInfo{Token: token}), exitCredentials, "-n", n.name)
			require.Contains(t, message, "the API server does not accept the credentials")
			require.Contains(t, hint, "log in again")
		})
	}
}

func TestCredentialPluginFails(t *testing.T) {
	n := newNamespace(t)
	for name, command := range map[string]string{"ends with an error": "false",
		"not installed": "devtun-no-such-plugin"} {
		t.Run(name, func(t *testing.T) {
			plugin := &clientcmdapi.ExecConfig{
				Command: command, APIVersion: "client.authentication.k8s.io/v1",
				InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
			}
			message, hint := refused(t, userConfig(t, &clientcmdapi.AuthInfo{Exec: plugin}), exitCredentials, "-n", n.name)
			require.Contains(t, message, "executable "+command)
			require.Contains(t, hint, "the credential plugin failed")
		})
	}
}
