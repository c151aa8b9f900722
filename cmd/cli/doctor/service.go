package doctor

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/doctor/headers"
	"github.com/devtun/devtun/cmd/cli/doctor/service"
)

// serviceName is the service of SERVICE[:PORT]; "" for none, and for what is a workload.
func serviceName(asked string) string {
	name, _, _ := strings.Cut(asked, ":")
	if kind, named, has := strings.Cut(name, "/"); has {
		if kind != "svc" && kind != "service" && kind != "services" {
			return ""
		}
		return named
	}
	return name
}

// examineService checks the service that was asked for, or those of the namespace briefly. What
// it finds of it is for who looks further.
func (o *options) examineService(ctx context.Context, r *reached, progress io.Writer) []check.Result {
	ctx, cancel := context.WithDeadline(ctx, r.until)
	defer cancel()
	if o.asked == "" {
		fmt.Fprintf(progress, "checking the services of namespace %s\n", r.namespace)
	} else {
		fmt.Fprintf(progress, "checking %s in namespace %s\n", o.asked, r.namespace)
	}
	results, found := service.Check(ctx, service.Options{Client: r.cluster.Client, Namespace: r.namespace, Asked: o.asked,
		Dial: r.pool.Dial})
	r.found = found
	return results
}

// examineHeaders has a request pass the services, and looks where its headers are lost: not
// before the service is found to be well.
func (o *options) examineHeaders(ctx context.Context, r *reached, found []check.Result,
	progress io.Writer) []check.Result {
	if check.FirstFault(found) != nil || r.found.Service == "" {
		return []check.Result{{Area: check.Service, Check: "headers", Status: check.NotChecked,
			Message: "the service would not get the request"}}
	}
	return headers.Check(ctx, headers.Options{Kube: o.kube, Cluster: r.cluster, Dial: r.pool.Dial, From: r.found,
		Image: o.agentImage, Progress: progress})
}
