package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/cmd/cli/selection"
)

// schemaURL is where editors find the schema of a project file.
const schemaURL = "https://raw.githubusercontent.com/devtun/devtun/main/cmd/cli/project/schema.json"

// initOptions is what `devtun init` was asked to do.
type initOptions struct {
	kube  *kube.Flags
	file  string
	force bool
}

func newInit(streams output.Streams) *cobra.Command {
	o := &initOptions{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a first project file from what the cluster holds",
		Long: `Write devtun.yaml for 'devtun up': it forwards the services of the namespace, and has the
workloads that could be intercepted as comments, to be taken in where they are wanted.
A file that is there already stays as it is, unless --force is given.`,
		Example: `  devtun init
  devtun init --context dev -n demo -f dev/devtun.yaml`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runInit(cmd.Context(), o, streams)
		},
	}
	flags := cmd.Flags()
	o.kube = kube.NewFlags(flags)
	flags.StringVarP(&o.file, "file", "f", project.Name, "the project file")
	flags.BoolVar(&o.force, "force", false, "write over a file that is there")
	o.kube.CompleteFlags(cmd)
	return cmd
}

func runInit(ctx context.Context, o *initOptions, streams output.Streams) error {
	if len(o.kube.Namespaces) > 1 {
		return problem.Usage("give one, and add others to the file", "devtun init works in one --namespace")
	}
	if _, err := os.Lstat(o.file); err == nil && !o.force {
		return o.exists()
	}
	cluster, err := o.kube.Connect()
	if err != nil {
		return err
	}
	namespace := cluster.Namespace
	if len(o.kube.Namespaces) == 1 {
		namespace = o.kube.Namespaces[0]
	}
	if !selection.IsLabel(namespace) {
		return problem.Usage("'kubectl get namespaces' lists those there are", "%q is not a namespace", namespace)
	}
	if err := cluster.LogIn(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, kube.Timeout)
	defer cancel()
	if err := cluster.CheckNamespace(ctx, namespace); err != nil {
		return err
	}
	list, err := cluster.Client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	workloads, err := interceptable(ctx, cluster, namespace, list.Items)
	if err != nil {
		return err
	}
	kubeconfig := *o.kube.KubeConfig
	if kubeconfig != "" { // the file may lie in another folder than this
		if kubeconfig, err = filepath.Abs(kubeconfig); err != nil {
			return err
		}
	}
	first := firstProject{context: cluster.Context, kubeconfig: kubeconfig, namespace: namespace, services: list.Items, workloads: workloads}
	if err := o.write(first.text()); err != nil {
		return err
	}
	fmt.Fprintf(streams.Out, "wrote %s: %s, %s\n", o.file, output.Count(len(list.Items), "service"), output.Count(len(workloads), "workload"))
	return nil
}

func (o *initOptions) exists() error {
	return problem.Usage("edit it, or add --force to write over it", "there is a project file already: %s", o.file)
}

// write writes the file. Without --force nothing that is there is touched, even if it
// has come only now.
func (o *initOptions) write(text string) error {
	flag := os.O_EXCL
	if o.force {
		flag = os.O_TRUNC
	}
	file, err := os.OpenFile(o.file, os.O_CREATE|os.O_WRONLY|flag, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return o.exists()
	}
	if err == nil {
		_, err = file.WriteString(text)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return &problem.Problem{Err: fmt.Errorf("write project file: %w", err), Code: problem.ExitMachine, Hint: "name a file that you may write with -f"}
	}
	return nil
}

// workload is one that services select.
type workload struct {
	kind, name string
	services   []string // as "web:80"
}

// interceptable lists the workloads behind services, in order. Who may not list any
// has none.
func interceptable(ctx context.Context, cluster *kube.Cluster, namespace string, services []corev1.Service) (all []workload, err error) {
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
	deployments, err := cluster.Client.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err == nil {
		for _, d := range deployments.Items {
			add("deploy", d.Name, d.Spec.Template.Labels)
		}
		sets, serr := cluster.Client.AppsV1().StatefulSets(namespace).List(ctx, metav1.ListOptions{})
		if err = serr; err == nil {
			for _, s := range sets.Items {
				add("sts", s.Name, s.Spec.Template.Labels)
			}
		}
	}
	if apierrors.IsForbidden(err) {
		err = nil
	}
	slices.SortFunc(all, func(a, b workload) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind)) })
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

// yamlText is a text as YAML has it, which is as JSON has it if it must be.
func yamlText(text string) string {
	if plainText.MatchString(text) && !slices.Contains([]string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(text)) {
		return text
	}
	return fmt.Sprintf("%q", text)
}
