package e2e

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/loader"
	"github.com/devtun/devtun/intercept/program"
)

// inParts has the agent's program, or what of its parts keep says, come to a pod of the
// test server's image, which has nothing else in it.
func (n *namespace) inParts(name string, keep func(part int) bool) *corev1.Pod {
	n.t.Helper()
	packed, err := os.ReadFile(filepath.Join("..", "intercept", "image", "agents", runtime.GOARCH+".lz4"))
	require.NoError(n.t, err)
	agent, err := program.New(runtime.GOARCH, packed)
	require.NoError(n.t, err)
	pod := podWithoutRights("devtun.test/testserver:dev", corev1.PullNever)
	pod.Name = name
	yes, mode := true, int32(0o555)
	volume := &corev1.ProjectedVolumeSource{DefaultMode: &mode}
	for i, part := range agent.Parts() {
		if !keep(i) {
			continue
		}
		_, err := n.client.CoreV1().ConfigMaps(n.name).Create(n.t.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: part.Name}, BinaryData: part.Data, Immutable: &yes,
		}, metav1.CreateOptions{})
		require.True(n.t, err == nil || apierrors.IsAlreadyExists(err), err)
		volume.Sources = append(volume.Sources, corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: part.Name},
		}})
	}
	pod.Spec.Volumes = []corev1.Volume{{Name: "agent", VolumeSource: corev1.VolumeSource{Projected: volume}}}
	container := &pod.Spec.Containers[0]
	container.Command = []string{loader.Directory + "/" + loader.Name}
	container.VolumeMounts = []corev1.VolumeMount{{Name: "agent", MountPath: loader.Directory, ReadOnly: true}}
	return pod
}

func TestAProgramInPartsRuns(t *testing.T) {
	n := newNamespace(t)
	said, _ := n.runRestricted(n.inParts("whole", func(int) bool { return true }))
	require.Contains(t, said, unconfigured)
	said, code := n.runRestricted(n.inParts("halved", func(part int) bool { return part != 1 }))
	require.Equal(t, "devtun loader: the parts are damaged, errno 74\n", said)
	require.EqualValues(t, 126, code)
}
