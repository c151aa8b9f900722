package target

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestManagerOf(t *testing.T) {
	entry := func(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const selector = `{"f:spec":{"f:selector":{}}}`
	for _, c := range []struct {
		want    string
		entries []metav1.ManagedFieldsEntry
	}{
		{"devtun", nil},
		{"kubectl edit", []metav1.ManagedFieldsEntry{entry("a", "Update", `{"f:spec":{}}`),
			entry("kubectl edit", "Update", selector)}},
		{"devtun", []metav1.ManagedFieldsEntry{entry("flux", "Apply", selector), entry("b", "Update", `{"f:metadata":{}}`),
			entry("c", "Update", `nonsense`)}},
	} {
		require.Equal(t, c.want, managerOf(metav1.ObjectMeta{ManagedFields: c.entries}, "f:spec", "f:selector"))
	}
	require.Equal(t, "/x?fieldManager=kubectl+edit", withFieldManager("/x?fieldManager=devtun", "kubectl edit"))
}
