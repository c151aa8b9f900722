//go:build soak

package e2e

import (
	"testing"
)

// TestSoakInterceptNotAdmitted meets a cluster that does not take what devtun makes.
func TestSoakInterceptNotAdmitted(t *testing.T) {
	t.Parallel()
	n := described(t)
	n.apply(`{apiVersion: v1, kind: Service, metadata: {name: nowhere}, spec: {selector: {app: nowhere}, ports: [{port: 80, targetPort: 8080}]}}`)
	n.apply(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: nowhere}, spec: {replicas: 0, selector: {matchLabels: {app: nowhere}}, template: {metadata: {labels: {app: nowhere}},
  spec: {nodeSelector: {devtun.test/there-is: none}, containers: [{name: server, image: "devtun.test/testserver:dev"}]}}}}`)
	n.apply(`{apiVersion: v1, kind: Service, metadata: {name: missing}, spec: {selector: {app: missing}, ports: [{port: 80, targetPort: 8080}]}}`)
	n.apply(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: missing}, spec: {replicas: 0, selector: {matchLabels: {app: missing}}, template: {metadata: {labels: {app: missing}},
  spec: {containers: [{name: server, image: "devtun.test/testserver:dev", envFrom: [{secretRef: {name: nothing-here}}]}]}}}}`)
	n.settled()
	for _, c := range []badInput{
		{about: "image not there", args: []string{"service-middle", "--agent-image", "127.0.0.1:1/devtun-agent:none"},
			code:    exitRefused,
			message: "the agent's image cannot be pulled: 127.0.0.1:1/devtun-agent:none", hint: "devtun image push"},
		{about: "image not there, replacing", args: []string{"service-middle", "--replace", "--agent-image",
			"127.0.0.1:1/devtun-agent:none"}, code: exitRefused,
			message: "the agent's image cannot be pulled: 127.0.0.1:1/devtun-agent:none", hint: "devtun image push"},
		{about: "no image's name", args: []string{"service-middle", "--agent-image", "Not An Image"}, code: exitUsage,
			message: `"Not An Image" is not the name of an image`, hint: "REGISTRY/NAME:TAG"},
		{about: "not the agent's image", args: []string{"service-middle", "--agent-image", "devtun.test/testserver:dev"},
			code:    exitRefused,
			message: "the agent's container cannot be made", hint: "--agent-image"},
		{about: "what the container needs is not there", args: []string{"missing"}, code: exitRefused,
			message: `secret "nothing-here" not found`, hint: "environment and volumes"},
		{about: "no node", args: []string{"nowhere"}, within: later, code: exitRefused,
			message: "no node takes the agent's pod", hint: "nodeSelector"},
	} {
		n.refusesIntercept(kubeconfig(), c)
	}
	for about, hard := range map[string]string{"pods": "pods", "ConfigMaps": "count/configmaps",
		"Deployments": "count/deployments.apps", "memory": "limits.memory"} {
		n.quota(hard)
		c := badInput{about: "quota of " + about, args: []string{"service-middle"}, code: exitRefused, message: "quota",
			hint: "kubectl describe quota -n " + n.name}
		n.refusesIntercept(kubeconfig(), c)
		kubectl(t, "delete", "quota", "-n", n.name, "none")
	}
}
