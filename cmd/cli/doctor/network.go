package doctor

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/doctor/network"
)

// examineNetwork has pods try the cluster's network.
func (o *options) examineNetwork(ctx context.Context, r *reached, progress io.Writer) []check.Result {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	fmt.Fprintln(progress, "checking the cluster's network, by a pod on each of up to five nodes")
	_, port, _ := strings.Cut(o.asked, ":")
	asked := cmp.Or(r.found.Service, serviceName(o.asked)) // a workload's own
	return network.Check(ctx, network.Options{
		Cluster: r.cluster, Pool: r.pool, Namespace: r.namespace, Service: asked, Port: port,
		Image: o.agentImage, Progress: func(text string) { fmt.Fprintln(progress, text) },
	})
}
