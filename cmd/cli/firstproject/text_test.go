package firstproject

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/project"
)

func TestAFirstProjectCanBeRead(t *testing.T) {
	for _, first := range []contents{
		{namespace: "demo"},
		{context: `odd "name": #1`, kubeconfig: "/home/me/my config", namespace: "123", services: []corev1.Service{{}},
			workloads: []workload{{"deploy", "web", []string{"web:80"}}}},
	} {
		p, err := project.Parse("f", []byte(first.text()))
		require.NoError(t, err, first.text())
		require.Equal(t, &project.Project{Context: first.context, Kubeconfig: first.kubeconfig, Namespace: first.namespace},
			p)
	}
}
