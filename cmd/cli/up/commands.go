package up

import (
	"context"

	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Commands are other commands, as far as a session has them do its work: 'devtun
// intercept'.
type Commands struct {
	// CheckIntercept refuses what can be refused without asking the cluster.
	CheckIntercept func(Intercept) error

	// PlanIntercept finds what is to be intercepted. It changes nothing. What comes of it
	// is told on the streams.
	PlanIntercept func(
		_ context.Context, _ *kube.Cluster, _ Intercept, _ output.Streams, verbose bool,
	) (Planned, error)
}

// Planned is an intercept that could begin.
type Planned interface {
	// Workload is whose traffic is to come here.
	Workload() (namespace string, object plan.Object)
	// Services are those that lead to it.
	Services() []discovery.Key
	// Locals are where the processes here are to listen, as host:port, those of this
	// machine written in one way.
	Locals() []string
	// Run carries the plan out, calls ready when the traffic comes, and holds the
	// intercept until ctx ends, which is no error, or it cannot be held any longer. Then
	// everything is put back.
	Run(ctx context.Context, tracker *status.Tracker, ready func()) error
}
