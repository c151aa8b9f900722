package cli

// forwardRights is what `devtun forward` needs in each namespace.
var forwardRights = []right{
	{verb: "list", resource: "services"},
	{verb: "watch", resource: "services"},
	{verb: "list", group: "discovery.k8s.io", resource: "endpointslices"},
	{verb: "watch", group: "discovery.k8s.io", resource: "endpointslices"},
	{verb: "create", resource: "pods", subresource: "portforward"},
}
