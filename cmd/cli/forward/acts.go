package forward

import (
	"context"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/live"
	"github.com/devtun/devtun/cmd/cli/podlogs"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Acts are what the keys of a table of forwards do.
func Acts(reading *forwards.Reading, cluster *kube.Cluster) live.Acts {
	return live.Acts{
		Read: func(namespace, service string) {
			reading.Add(discovery.Key{Namespace: namespace, Name: service})
		},
		Logs: func(ctx context.Context, pods live.Pods, tell func(string)) error {
			return podlogs.Follow(ctx, cluster.Client, pods, tell)
		},
	}
}
