package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/intercept/target"
)

// TestDoctorProbes has probes find nothing wrong where nothing is, as a user with the Role for
// it and no more, and leaves nothing.
func TestDoctorProbes(t *testing.T) {
	t.Parallel()
	n, objects := newNamespace(t).testserver("web", 1), dynamicClient(t)
	config := userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("doctor",
		slices.Concat(target.Rules(target.DoctorRights()), target.Rules(target.ProbeRights()), enough)...)})
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	d := doctor(t, config, []string{"SHELL=/bin/sh"}, "-n", n.name, "web", "--probe")
	require.Zero(t, d.fault())
	require.Equal(t, "ok", d.result("service-address").Status, "%+v", d.Results)
	require.Equal(t, "ok", d.result("cluster-dns").Status, "%+v", d.Results)
	require.Contains(t, d.result("probes").Message, "list nodes", "it says what it may not look at")
	n.nothingLeft(time.Minute)
	n.asBefore(objects, before, "probes")
}
