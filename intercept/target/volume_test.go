package target

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnbrought(t *testing.T) {
	server, client := newShop(t)
	text := func(name, container string) string {
		found, err := Resolve(t.Context(), client, "shop", name)
		require.NoError(t, err)
		note, _ := found.Unbrought(container)
		return note.Text
	}
	const account = "/var/run/secrets/kubernetes.io/serviceaccount (token): they are the pods' own"
	require.Equal(t, "--files does not bring /data (emptyDir), /etc/all (token), /var/run/secrets/token (token), "+
		"/etc/info (resources of the node), "+account, text("deploy/web", ""))
	require.Equal(t, "--files does not bring "+account, text("deploy/web", "sidecar"))
	require.Empty(t, text("deploy/web", "none"), "the plan says that there is none")

	server.Delete("/apis/apps/v1/namespaces/shop/deployments/web")
	server.Apply(`apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, uid: uid-web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: back}}
    spec:
      automountServiceAccountToken: false
      containers:
      - {name: c, ports: [{name: http, containerPort: 80}, {name: clock, containerPort: 123, protocol: UDP}, {name: admin, containerPort: 81}], volumeMounts: [{name: config, mountPath: /etc/web}]}
      - {name: d, volumeMounts: [{name: host, mountPath: /host}, {name: claim, mountPath: /claim}, {name: scratch, mountPath: /scratch}, {name: trust, mountPath: /trust}]}
      volumes:
      - {name: config, configMap: {name: config}}
      - {name: host, hostPath: {path: /}}
      - {name: claim, persistentVolumeClaim: {claimName: claim}}
      - {name: scratch}
      - {name: trust, projected: {sources: [{configMap: {name: config}}, {clusterTrustBundle: {name: trust, path: ca.crt}}]}}
`)
	require.Empty(t, text("deploy/web", ""))
	require.Equal(t, "--files does not bring /host (hostPath), /claim (persistentVolumeClaim), /scratch (emptyDir), "+
		"/trust (clusterTrustBundle): they are the pods' own", text("deploy/web", "d"))
}
