package up

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
)

// workload is one that services select.
type workload struct {
	kind, name string
	services   []string // as "web:80"
}

// interceptable lists the workloads behind services, in order. Who may not list any
// has none.
func interceptable(
	ctx context.Context, client kubernetes.Interface, namespace string, services []corev1.Service,
) (all []workload, err error) {
	add := func(kind, name string, pods map[string]string) {
		w := workload{kind: kind, name: name}
		for _, service := range services {
			if len(service.Spec.Selector) == 0 || !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pods)) {
				continue
			}
			for _, port := range service.Spec.Ports {
				if cmp.Or(port.Protocol, corev1.ProtocolTCP) == corev1.ProtocolTCP {
					w.services = append(w.services, fmt.Sprintf("%s:%d", service.Name, port.Port))
				}
			}
		}
		if len(w.services) > 0 {
			all = append(all, w)
		}
	}
	deployments, err := client.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err == nil {
		for _, d := range deployments.Items {
			add("deploy", d.Name, d.Spec.Template.Labels)
		}
		sets, serr := client.AppsV1().StatefulSets(namespace).List(ctx, metav1.ListOptions{})
		if err = serr; err == nil {
			for _, s := range sets.Items {
				add("sts", s.Name, s.Spec.Template.Labels)
			}
		}
	}
	if apierrors.IsForbidden(err) {
		err = nil
	}
	slices.SortFunc(all, func(a, b workload) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
	})
	return all, err
}

// firstProject is what a first project file says.
type firstProject struct {
	context, kubeconfig, namespace string
	services                       []corev1.Service
	workloads                      []workload
}

func (f firstProject) text() string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("# yaml-language-server: $schema=%s", schemaURL)
	line("#\n# What 'devtun up' brings up. 'devtun up --help' shows every key.")
	if f.kubeconfig != "" {
		line("kubeconfig: %s", yamlText(f.kubeconfig))
	}
	if f.context != "" {
		line("context: %s", yamlText(f.context))
	}
	line("namespace: %s", yamlText(f.namespace))
	line("\n# All services of the namespace are forwarded, under their own names:")
	line("forward:")
	var names []string
	for _, service := range f.services {
		names = append(names, service.Name)
	}
	slices.Sort(names)
	for _, name := range names {
		line("  # %s", name)
	}
	if len(names) == 0 {
		line("  # (there are none yet)")
	}
	line("  # Leave out the one that runs here:")
	line("  # except: [%s]", append(names, "SERVICE")[0])
	line("\n# To be a service: requests of the cluster arrive at the process here.")
	if len(f.workloads) == 0 {
		line("# intercepts:\n#   - workload: WORKLOAD")
		return text.String()
	}
	line("# intercepts:")
	for _, w := range f.workloads {
		line("#   - workload: %s/%s # %s", w.kind, w.name, strings.Join(w.services, ", "))
		line("#     envFile: .env")
	}
	return text.String()
}

// plainText is what YAML takes for a text without quotes, whatever its version.
var plainText = regexp.MustCompile(`^[a-zA-Z/][-a-zA-Z0-9_./]*$`)

// notText is what YAML, in one of its versions, takes for something else.
var notText = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

// yamlText is a text as YAML has it, which is as JSON has it if it must be.
func yamlText(text string) string {
	if plainText.MatchString(text) && !slices.Contains(notText, strings.ToLower(text)) {
		return text
	}
	return fmt.Sprintf("%q", text)
}
