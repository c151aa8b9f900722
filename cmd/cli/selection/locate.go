package selection

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/kube"
)

// Locate finds the homes of bare names where several namespaces are asked for: each
// is the first namespace's that has such a service. A namespace whose services may not
// be listed has none here; the check of rights says so.
func (f *Flags) Locate(ctx context.Context, cluster *kube.Cluster) error {
	if len(f.Namespaces) < 2 || len(f.Args)+len(f.Except)+len(f.Ports) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, kube.Timeout)
	defer cancel()
	f.homes = make(map[string]string)
	for _, namespace := range f.Namespaces {
		list, err := cluster.Client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
		if apierrors.IsForbidden(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("list services: %w", err)
		}
		for _, service := range list.Items {
			if _, known := f.homes[service.Name]; !known {
				f.homes[service.Name] = namespace
			}
		}
	}
	return nil
}
