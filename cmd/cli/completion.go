package cli

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// completionTimeout bounds what the shell waits for at a press of Tab.
const completionTimeout = 2 * time.Second

// completeServices completes services that can be forwarded.
func (o *forwardOptions) completeServices(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return without(o.serviceNames(cmd.Context(), discovery.Forwardable), args, typed), cobra.ShellCompDirectiveNoFileComp
}

// completeTargets completes services that can be intercepted.
func (o *forwardOptions) completeTargets(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return without(o.serviceNames(cmd.Context(), target.Interceptable), args, typed), cobra.ShellCompDirectiveNoFileComp
}

// completeFlags completes the flags of all commands that reach into the cluster.
func (o *forwardOptions) completeFlags(cmd *cobra.Command) {
	cmd.RegisterFlagCompletionFunc("namespace", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return without(o.namespaceNames(cmd.Context()), nil, typed), cobra.ShellCompDirectiveNoFileComp
	})
	cmd.RegisterFlagCompletionFunc("context", func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		cluster, err := o.kube.connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return without(cluster.contexts, nil, typed), cobra.ShellCompDirectiveNoFileComp
	})
	var modes []string
	for _, mode := range tunnel.Modes() {
		modes = append(modes, string(mode))
	}
	cmd.RegisterFlagCompletionFunc("transport", cobra.FixedCompletions(modes, cobra.ShellCompDirectiveNoFileComp))
}

// serviceNames lists the services of the namespace that fit, but for those that
// intercepts have made; none on any failure.
func (o *forwardOptions) serviceNames(ctx context.Context, fits func(*corev1.Service) bool) []string {
	cluster, err := o.kube.connect()
	if err != nil {
		return nil
	}
	namespace := cluster.namespace
	if len(o.kube.namespaces) > 0 {
		namespace = o.kube.namespaces[0]
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	list, err := cluster.client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{LabelSelector: withoutOurs("")})
	if err != nil {
		return nil
	}
	var names []string
	for _, service := range list.Items {
		if fits(&service) {
			names = append(names, service.Name)
		}
	}
	return names
}

func (o *forwardOptions) namespaceNames(ctx context.Context) []string {
	cluster, err := o.kube.connect()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	return cluster.namespaceNames(ctx)
}

// afterDash reports that the shell completes a word of the COMMAND after "--". The
// flags do not know: while it completes, cobra has added a dash of its own.
func afterDash() bool { return slices.Contains(os.Args, "--") }

// without lists the names that begin with what was typed and are not used yet.
func without(names, used []string, typed string) []string {
	var left []string
	for _, name := range names {
		if strings.HasPrefix(name, typed) && !slices.Contains(used, name) {
			left = append(left, name)
		}
	}
	slices.Sort(left)
	return left
}
