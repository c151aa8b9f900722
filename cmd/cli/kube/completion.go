package kube

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// CompleteServices completes the services of the namespace that fit.
func (k *Flags) CompleteServices(fits func(*corev1.Service) bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		return arguments.Matching(k.serviceNames(cmd.Context(), fits), args, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteTargets completes those, and pods and virtual machines by their names once it is
// clear that one is wanted.
func (k *Flags) CompleteTargets(fits func(*corev1.Service) bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		kind, _, is := strings.Cut(typed, "/")
		if !is {
			return k.CompleteServices(fits)(cmd, args, typed)
		}
		return arguments.Matching(k.podNames(cmd.Context(), kind), args, typed), cobra.ShellCompDirectiveNoFileComp
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
	cluster, namespace, err := k.whereCompleted()
	if err != nil {
		return nil
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

// whereCompleted is the namespace whose objects are completed.
func (k *Flags) whereCompleted() (cluster *Cluster, namespace string, err error) {
	if cluster, err = k.Connect(); err != nil {
		return nil, "", err
	}
	if len(k.Namespaces) > 0 {
		return cluster, k.Namespaces[0], nil
	}
	return cluster, cluster.Namespace, nil
}

// podNames lists the namespace's pods with each of their TCP ports, as pod/NAME:PORT, or its
// virtual machines that run, as vm/NAME: of no port, since that is not known.
func (k *Flags) podNames(ctx context.Context, kind string) (names []string) {
	cluster, namespace, err := k.whereCompleted()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, arguments.CompletionTimeout)
	defer cancel()
	var options metav1.ListOptions
	machines := kind == string(discovery.KindVM)
	if machines {
		options.LabelSelector = discovery.LabelVM
	} else if kind != string(discovery.KindPod) {
		return nil
	}
	list, err := cluster.Client.CoreV1().Pods(namespace).List(ctx, options)
	if err != nil {
		return nil
	}
	for _, pod := range list.Items {
		if machines {
			names = append(names, fmt.Sprintf("%s/%s:", kind, pod.Labels[discovery.LabelVM]))
			continue
		}
		for _, container := range pod.Spec.Containers {
			for _, port := range container.Ports {
				if port.Protocol != corev1.ProtocolUDP && port.Protocol != corev1.ProtocolSCTP {
					names = append(names, fmt.Sprintf("%s/%s:%d", kind, pod.Name, port.ContainerPort))
				}
			}
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
