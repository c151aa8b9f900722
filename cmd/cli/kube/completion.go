package kube

import (
	"context"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/tunnel"
)

// CompleteServices completes the services of the namespace that fit.
func (k *Flags) CompleteServices(fits func(*corev1.Service) bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		return arguments.Matching(k.serviceNames(cmd.Context(), fits), args, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteFlags completes the flags of all commands that reach into the cluster.
func (k *Flags) CompleteFlags(cmd *cobra.Command) {
	cmd.RegisterFlagCompletionFunc("namespace",
		func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			return arguments.Matching(k.namespaceNames(cmd.Context()), nil, typed), cobra.ShellCompDirectiveNoFileComp
		})
	cmd.RegisterFlagCompletionFunc("context",
		func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			cluster, err := k.Connect()
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return arguments.Matching(cluster.contexts, nil, typed), cobra.ShellCompDirectiveNoFileComp
		})
	var modes []string
	for _, mode := range tunnel.Modes() {
		modes = append(modes, string(mode))
	}
	cmd.RegisterFlagCompletionFunc("transport", cobra.FixedCompletions(modes, cobra.ShellCompDirectiveNoFileComp))
}

// serviceNames lists the services of the namespace that fit, but for those that
// intercepts have made; none on any failure.
func (k *Flags) serviceNames(ctx context.Context, fits func(*corev1.Service) bool) []string {
	cluster, err := k.Connect()
	if err != nil {
		return nil
	}
	namespace := cluster.Namespace
	if len(k.Namespaces) > 0 {
		namespace = k.Namespaces[0]
	}
	ctx, cancel := context.WithTimeout(ctx, arguments.CompletionTimeout)
	defer cancel()
	list, err := cluster.Client.CoreV1().Services(namespace).List(ctx,
		metav1.ListOptions{LabelSelector: UserServices("")})
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

func (k *Flags) namespaceNames(ctx context.Context) []string {
	cluster, err := k.Connect()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, arguments.CompletionTimeout)
	defer cancel()
	return cluster.namespaceNames(ctx)
}
