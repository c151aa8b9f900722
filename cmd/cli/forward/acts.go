package forward

import (
	"context"
	"time"

	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/live"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/podlogs"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Session is what forwards are held with, for who changes them while they stand.
type Session struct {
	Cluster  *kube.Cluster
	Settings *Settings
	Selected *selection.Selection // at the start
	Tracker  *status.Tracker
	Out      output.Writer
	Verbose  bool

	// Reselect is the Forwarder's. Ending reports that the session ends, and Within is a
	// context that ends with it, or after so long.
	Reselect func(context.Context, *selection.Selection) error
	Ending   func() bool
	Within   func(time.Duration) (context.Context, context.CancelFunc)
}

// Beside are intercepts that begin and end in a session (package beside).
type Beside interface {
	// Toggle begins one until ctx ends, or ends it, and returns what to show of that.
	Toggle(ctx context.Context, intercepted bool, namespace, service string) string
	// Wait returns when all are over. The error is what could not be put back.
	Wait() error
}

// Acts are what the keys of a table do. They can be had once the session is open.
type Acts struct {
	Beside  func(Session) Beside
	Out     output.Writer
	Verbose bool
	live.Acts
}

// Logs is that of live.Acts.
func Logs(cluster *kube.Cluster) func(context.Context, live.Pods, func(string)) error {
	return func(ctx context.Context, pods live.Pods, tell func(string)) error {
		return podlogs.Follow(ctx, cluster.Client, pods, tell)
	}
}

// opened has the acts be those of a session; what it returns is called at the end of that.
func (a *Acts) opened(
	ctx context.Context, s *Settings, cluster *kube.Cluster, f *Forwarder, tracker *status.Tracker,
) (over func() error) {
	beside := a.Beside(Session{
		Cluster: cluster, Settings: s, Selected: f.selected, Tracker: tracker, Out: a.Out, Verbose: a.Verbose,
		Reselect: f.Reselect,
		Ending:   func() bool { return ctx.Err() != nil },
		Within: func(timeout time.Duration) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, timeout)
		},
	})
	a.Acts = live.Acts{
		Read: func(namespace, service string) {
			s.Reading.Add(discovery.Key{Namespace: namespace, Name: service})
		},
		Logs: Logs(cluster),
		Toggle: func(intercepted bool, namespace, service string) string {
			return beside.Toggle(ctx, intercepted, namespace, service)
		},
	}
	return beside.Wait
}
