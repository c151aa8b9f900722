package forward

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/carry"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/relay"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// DefaultDomain is the DNS domain of most clusters.
const DefaultDomain = "cluster.local"

// Settings say which services are to be in reach, and how.
type Settings struct {
	Kube      *kube.Flags
	Services  selection.Flags
	Relay     forwards.RelayUse // what goes through a relay
	Domain    string            // of the cluster
	Hold      time.Duration
	Transport string
	// RelayImage has the agent, for relays; "": its program comes with their plan.
	RelayImage string
	// Agents are those of the session's intercepts, which serve as the relays of their
	// namespaces; nil: none.
	Agents *relay.Agents
	Link   string // one of Links; "" is LinkAuto
	Partly bool   // a service asked for may lack its low ports, if it has others
	// PodAddresses has the addresses of the services' pods on this machine too.
	PodAddresses bool
	// Headers are what requests carry on into the cluster, each as "NAME: VALUE".
	Headers []string
	// Reading is of which services each request is told, not only each connection; nil: none.
	Reading *forwards.Reading
	// Acts, unless nil, can change it while it stands.
	Acts *Acts
	// Intercepts are the session's, whose headers they carry on as well; nil: none.
	Intercepts *carry.Intercepts
}

// AddFlags adds what all commands have that forward the services that are asked
// for.
func (s *Settings) AddFlags(cmd *cobra.Command) {
	s.AddTunnelFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVarP(&s.Services.All, "all-namespaces", "A", false, "forward the services of all namespaces")
	flags.StringVarP(&s.Services.Labels, "selector", "l", "", "forward only services with these labels (as in kubectl)")
	flags.StringSliceVar(&s.Services.Except, "except", nil,
		"leave out this service, the one that runs here; repeat it for more")
	flags.StringSliceVar(&s.Services.Ports, "port", nil,
		"listen on another port: SERVICE:LOCAL:REMOTE; repeat it for more")
	flags.StringArrayVar(&s.Headers, "header", nil,
		"a header that requests carry into the cluster, 'NAME: VALUE': baggage is added to, others are set if absent; "+
			"HTTP/1 and HTTP/2 without TLS; repeat it for more")
	s.AddRelayFlag(cmd)
	s.AddPodAddressesFlag(cmd)
	cmd.RegisterFlagCompletionFunc("except", s.Kube.CompleteServices(s.fits))
}

// Complete completes what is to be in reach.
func (s *Settings) Complete(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return s.Kube.CompleteTargets(s.fits)(cmd, args, typed)
}

// fits reports that a Service can be forwarded, as far as it tells.
func (s *Settings) fits(service *corev1.Service) bool {
	if s.Relay == forwards.NoRelay {
		return discovery.Forwardable(service)
	}
	return discovery.Relayable(service)
}

// AddTunnelFlags adds what all commands have that reach into the cluster.
func (s *Settings) AddTunnelFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	s.Kube = kube.NewFlags(flags)
	flags.StringVar(&s.Domain, "cluster-domain", DefaultDomain, "domain of the cluster's DNS")
	flags.DurationVar(&s.Hold, "hold", tunnel.DefaultHold, "how long a connection waits for a ready pod")
	flags.StringVar(&s.Transport, "transport", string(tunnel.Auto), "how to reach pods: "+modeNames())
	flags.StringVar(&s.Link, "link", LinkAuto,
		"how links to agents and relays go: through port-forwards, or the API server's pod proxy: "+
			strings.Join(Links(), ", "))
	s.Kube.CompleteFlags(cmd)
	cmd.RegisterFlagCompletionFunc("link", cobra.FixedCompletions(Links(), cobra.ShellCompDirectiveNoFileComp))
}

// AddRelayFlag adds what commands have that may bring a relay.
func (s *Settings) AddRelayFlag(cmd *cobra.Command) {
	cmd.Flags().Var((*relay.Flag)(&s.Relay), "relay",
		"reach what a port-forward does not, by a relay in the namespace: UDP, names and addresses outside the cluster, "+
			"services without pods; everything goes through it, or 'only-needed': just that")
	cmd.Flags().Lookup("relay").NoOptDefVal = relay.Uses()[0]
	cmd.RegisterFlagCompletionFunc("relay", cobra.FixedCompletions(relay.Uses(), cobra.ShellCompDirectiveNoFileComp))
}

// AddPodAddressesFlag adds what commands have that forward services by their names.
func (s *Settings) AddPodAddressesFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.PodAddresses, "pod-addresses", false,
		"have the pods' own addresses on this machine too, for servers that tell them to their clients, as Redis Cluster "+
			"does; private ranges only")
}

// CheckHosts refuses what cannot be where only one program is to see the services: hosts is as
// machine.CheckHosts has it.
func (s *Settings) CheckHosts(hosts string) error {
	if s.PodAddresses && hosts != machine.System {
		return problem.Usage("add --hosts system", "--pod-addresses puts addresses on this machine, for all programs")
	}
	return machine.CheckHosts(hosts)
}

func modeNames() string {
	var names []string
	for _, mode := range tunnel.Modes() {
		names = append(names, string(mode))
	}
	return strings.Join(names, ", ")
}

// relayImage is the image that relays run, "" if their program comes with their plan.
func (s *Settings) relayImage() string {
	if s.RelayImage != "" || s.Kube == nil {
		return s.RelayImage
	}
	return image.Reference("", s.Kube.Getenv)
}

// Validate checks what can be checked without the cluster.
func (s *Settings) Validate() error {
	if !slices.Contains(tunnel.Modes(), tunnel.Mode(s.Transport)) {
		return problem.Usage("one of "+modeNames(), "unknown --transport %q", s.Transport)
	}
	if err := checkLink(s.Link); err != nil {
		return err
	}
	if s.Hold < 0 {
		return problem.Usage("give a duration such as 30s", "--hold %v is negative", s.Hold)
	}
	if _, err := carry.Parse(s.Headers); err != nil {
		return problem.Usage("write NAME: VALUE, as in --header 'baggage: devtun=KEY'", "--header: %w", err)
	}
	if _, err := (dns.Naming{Domain: s.Domain}).Names(dns.Service{Namespace: "n", Name: "s"}); err != nil {
		return problem.Usage("give a domain such as cluster.local", "%q is not a --cluster-domain", s.Domain)
	}
	return nil
}

// Select selects what is asked for, in the context's namespace where no other is.
func (s *Settings) Select(contextNamespace string) (*selection.Selection, error) {
	services := s.Services
	services.Relay = s.Relay != forwards.NoRelay
	return selection.New(services, contextNamespace)
}

// Run does what is asked for until ctx ends, which is no error, on the machine
// that open opens. The tracker is told of each event before tell is.
func (s *Settings) Run(
	ctx context.Context, tracker *status.Tracker, tell func(*selection.Selection, forwards.Event),
	open func() (*hostsfile.File, *helper.Machine, error),
) error {
	cluster, err := s.Kube.Connect()
	if err != nil {
		return err
	}
	if err := s.Services.Locate(ctx, cluster); err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	selected, err := s.Select(cluster.Namespace)
	if err != nil {
		return err
	}
	tracker.SetContext(cluster.Context, selected.Namespace)
	told := func(event forwards.Event) {
		tracker.Forward(event)
		tell(selected, event)
	}
	if err := cluster.LogIn(ctx); err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	hosts, here, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = here.Close() }() // the helper ends with its connection
	if err := machine.Prepare(ctx, here); err != nil {
		return ending.UnlessEnded(ctx, err) // Ctrl-C is an answer to sudo's question too
	}
	f, err := s.Open(cluster, selected, hosts, here, told)
	if err != nil {
		return err
	}
	over := func() error { return nil }
	standing, end := context.WithCancel(ctx)
	defer end()
	if s.Acts != nil {
		over = s.Acts.opened(standing, s, cluster, f, tracker)
	}
	err = f.Follow(ctx)
	end()
	return errors.Join(err, over(), f.Close(ctx))
}
