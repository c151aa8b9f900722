package forward

import (
	"slices"

	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Rights is what `devtun forward` needs in each namespace.
var Rights = []kube.Right{
	{Verb: "list", Resource: "services"},
	{Verb: "watch", Resource: "services"},
	{Verb: "list", Group: "discovery.k8s.io", Resource: "endpointslices"},
	{Verb: "watch", Group: "discovery.k8s.io", Resource: "endpointslices"},
	{Verb: "create", Resource: "pods", Subresource: "portforward"},
}

// PodRights is what it needs beside for pods and virtual machines by their names.
var PodRights = []kube.Right{{Verb: "list", Resource: "pods"}, {Verb: "watch", Resource: "pods"}}

// RightsFor is what it needs for a selection.
func RightsFor(selected *selection.Selection) []kube.Right {
	for _, target := range selected.Targets {
		if kind, _ := target.Key.Kind(); kind == discovery.KindPod || kind == discovery.KindVM {
			return slices.Concat(Rights, PodRights)
		}
	}
	return Rights
}
