package doctor

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
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

// examineService checks the service that was asked for, or those of the namespace briefly.
func (o *options) examineService(ctx context.Context, r *reached, progress io.Writer) []check.Result {
	ctx, cancel := context.WithTimeout(ctx, serviceTimeout)
	defer cancel()
	if o.asked == "" {
		fmt.Fprintf(progress, "checking the services of namespace %s\n", r.namespace)
	} else {
		fmt.Fprintf(progress, "checking %s in namespace %s\n", o.asked, r.namespace)
	}
	_ = ctx
	return nil
}
