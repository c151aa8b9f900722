package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/devtun/devtun/cmd/cli/session"
	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

const (
	// syncTimeout bounds the wait for the first list of services.
	syncTimeout = 30 * time.Second

	// closeTimeout bounds the removal of names at the end.
	closeTimeout = 10 * time.Second

	// retryEvery is the pause between attempts at what failed on this machine.
	retryEvery = 5 * time.Second
)

// forwardOptions is what `devtun forward` was asked to do.
type forwardOptions struct {
	kube      *kubeFlags
	services  selectFlags
	hostsFile string // "" for the system's
	domain    string // of the cluster
	hold      time.Duration
	transport string
	output    string
	verbose   bool
}

func newForward(streams Streams) *cobra.Command {
	o := &forwardOptions{}
	cmd := &cobra.Command{
		Use:   "forward [SERVICE…]",
		Short: "Reach the cluster's services by name from this machine",
		Long: `Give this machine the services of a cluster under their own names and ports.

Every service gets a loopback address of its own, the same on every run, names
in the hosts file that lead there, and listeners on its ports. A connection goes
to a ready pod, in turn; with no ready pod it waits for one. Services that appear
while devtun runs are added, those that go are removed.

SERVICE is NAME, NAME.NAMESPACE or svc/NAME; without any, all services of the
namespace. Listening on ports below 1024 and writing the system's hosts file need
root.`,
		Example: `  # every service of the current namespace, but for the one that runs here
  sudo -E devtun forward --except service-front

  # one service, and one of another namespace
  sudo -E devtun forward service-back search.shop

  # all services of two namespaces; bare names are those of the first
  sudo -E devtun forward -n demo -n shop

  # without root: names in a file of your own, port 80 on 8080
  devtun forward service-front --port service-front:8080:80 --hosts-file ./hosts

  # events for tools
  sudo -E devtun forward -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.services.args = args
			o.services.namespaces = o.kube.namespaces
			return runForward(cmd.Context(), o, streams)
		},
	}
	flags := cmd.Flags()
	o.kube = newKubeFlags(flags)
	flags.BoolVarP(&o.services.all, "all-namespaces", "A", false, "forward the services of all namespaces")
	flags.StringVarP(&o.services.labels, "selector", "l", "", "forward only services with these labels (as in kubectl)")
	flags.StringSliceVar(&o.services.except, "except", nil, "leave out this service, the one that runs here; repeat it for more")
	flags.StringSliceVar(&o.services.ports, "port", nil, "listen on another port: SERVICE:LOCAL:REMOTE; repeat it for more")
	flags.StringVar(&o.hostsFile, "hosts-file", "", "write names to this file (default: the system's hosts file)")
	flags.StringVar(&o.domain, "cluster-domain", "cluster.local", "DNS domain of the cluster")
	flags.DurationVar(&o.hold, "hold", tunnel.DefaultHold, "how long a connection waits for a ready pod")
	flags.StringVar(&o.transport, "transport", string(tunnel.Auto), "how to reach pods: "+modeNames())
	flags.StringVarP(&o.output, "output", "o", "", "'json' for events, one JSON object a line")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "tell of each connection: pod, bytes, duration, why it ended")
	completeForward(cmd, o)
	return cmd
}

func modeNames() string {
	var names []string
	for _, mode := range tunnel.Modes() {
		names = append(names, string(mode))
	}
	return strings.Join(names, ", ")
}

// validate checks what can be checked without the cluster.
func (o *forwardOptions) validate() error {
	if !slices.Contains(tunnel.Modes(), tunnel.Mode(o.transport)) {
		return usage("one of "+modeNames(), "unknown --transport %q", o.transport)
	}
	if o.output != "" && o.output != "json" {
		return usage("the only other output is json", "unknown --output %q", o.output)
	}
	if o.hold < 0 {
		return usage("give a duration such as 30s", "--hold %v is negative", o.hold)
	}
	if _, err := (dns.Naming{Domain: o.domain}).Names(dns.Service{Namespace: "n", Name: "s"}); err != nil {
		return usage("give a domain such as cluster.local", "%q is not a --cluster-domain", o.domain)
	}
	return nil
}

func runForward(ctx context.Context, o *forwardOptions, streams Streams) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	printer := newPrinter(streams, o.output, o.verbose)
	defer func() { printer.end(err) }()
	cluster, err := o.kube.connect()
	if err != nil {
		return err
	}
	selected, err := selectServices(o.services, cluster.namespace)
	if err != nil {
		return err
	}
	printer.namespace = selected.namespace
	hosts, err := dns.NewHosts(o.hostsFile)
	if err != nil {
		return fmt.Errorf("open hosts file: %w", err)
	}
	if err := hosts.Writable(); err != nil {
		return fmt.Errorf("write names: %w", err)
	}
	leases, err := dns.OpenLeases(dns.DefaultLeases())
	if err != nil {
		return fmt.Errorf("open leases: %w", err)
	}
	defer leases.Close()
	transport, err := tunnel.NewTransport(cluster.config, tunnel.Mode(o.transport))
	if err != nil {
		return err
	}
	pool := tunnel.NewPool(transport.Dial)
	defer pool.Close()

	forwards := session.New(dns.Direct{Hosts: hosts}, leases, session.Options{
		Cluster: cluster.context,
		Naming:  dns.Naming{Default: selected.namespace, Domain: o.domain},
		Wanted:  selected.wanted,
		Named:   func(key discovery.Key) bool { return selected.named[key] },
		Remaps:  selected.remaps,
		Dial:    pool.Dial,
		Hold:    o.hold,
		Tell:    printer.tell,
	})
	err = follow(ctx, cluster, selected, forwards, printer)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return errors.Join(err, forwards.Close(closing))
}

// follow keeps forwards in step with the cluster until ctx ends, which is no
// error, or until something keeps it from starting.
func follow(ctx context.Context, cluster *cluster, selected *selection, forwards *session.Session, printer *printer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	checked := make(chan struct{})
	trouble := &trouble{tell: printer.tell}
	watcher := discovery.New(cluster.client, discovery.Scope{Namespaces: selected.namespaces, Selector: selected.labels})
	watcher.Trouble = trouble.note

	late := time.AfterFunc(syncTimeout, func() {
		cancel(fmt.Errorf("list services: no answer within %v: %w", syncTimeout, errors.Join(trouble.last(), context.DeadlineExceeded)))
	})
	defer late.Stop()
	started := false
	watch := func() error {
		watcher.Run(ctx, func(changes discovery.Changes) {
			select {
			case <-checked:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				return
			}
			if !started {
				late.Stop()
				if err := selected.known(changes); err != nil {
					cancel(err)
					return
				}
			}
			started = true
			trouble.start()
			if err := forwards.Apply(ctx, changes); err != nil {
				cancel(err)
			}
		})
		return nil
	}
	var group errgroup.Group
	group.Go(watch)
	group.Go(func() error { return retry(ctx, forwards) })
	group.Go(func() error {
		if err := preflight(ctx, cluster, selected); err != nil {
			cancel(err)
		}
		close(checked)
		return nil
	})
	group.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// retry has forwards try again what failed, until ctx ends.
func retry(ctx context.Context, forwards *session.Session) error {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			forwards.Retry(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}
