package firstproject

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// schemaURL is where editors find the schema of a project file.
const schemaURL = "https://raw.githubusercontent.com/devtun/devtun/main/cmd/cli/project/schema.json"

// contents is what a first project file says.
type contents struct {
	context, kubeconfig, namespace string
	services                       []corev1.Service
	workloads                      []workload
}

func (f contents) text() string {
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
