package forward

import "github.com/devtun/devtun/cmd/cli/kube"

// Rights is what `devtun forward` needs in each namespace.
var Rights = []kube.Right{
	{Verb: "list", Resource: "services"},
	{Verb: "watch", Resource: "services"},
	{Verb: "list", Group: "discovery.k8s.io", Resource: "endpointslices"},
	{Verb: "watch", Group: "discovery.k8s.io", Resource: "endpointslices"},
	{Verb: "create", Resource: "pods", Subresource: "portforward"},
}
