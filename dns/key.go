package dns

import "strings"

// Key is what an address is derived from: the cluster (the kubeconfig context)
// and the service, or the pod in it.
func Key(cluster string, s Service) string {
	parts := []string{cluster, s.Namespace, s.Name, s.Pod}
	if s.Kind != "" {
		parts = append(parts, string(s.Kind))
	}
	return strings.Join(parts, "\x00")
}
