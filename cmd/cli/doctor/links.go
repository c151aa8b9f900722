package doctor

import (
	"context"
	"fmt"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/status"
)

// linksKept are the links of sessions that run here, with a context of the kubeconfig, which
// stay on a port-forward for a reason: a line each, with the reason.
func linksKept(ctx context.Context, kubeContext string) (lines []string) {
	directory, err := background.Default()
	if err != nil {
		return nil
	}
	names, err := directory.Running()
	if err != nil {
		return nil
	}
	for _, name := range names {
		s, err := directory.Client(name).Snapshot(ctx)
		if err != nil || s.Context != kubeContext {
			continue
		}
		kept := func(of string, links []status.Link) {
			for _, l := range links {
				if l.WhyNot != "" {
					lines = append(lines, fmt.Sprintf("session %s, %s: the link to %s goes %s", name, of, l.Pod,
						output.Way(l.Way, l.WhyNot)))
				}
			}
		}
		for _, r := range s.Relays {
			kept("relay of "+r.Namespace, r.Links)
		}
		for _, i := range s.Intercepts {
			kept(i.Workload, i.Links)
		}
	}
	return lines
}
