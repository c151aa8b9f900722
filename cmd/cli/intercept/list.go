package intercept

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// askTimeout bounds the question to one intercept's agents.
const askTimeout = 5 * time.Second

// NewList is devtun list.
func NewList(streams output.Streams) *cobra.Command {
	var flags *kube.Flags
	var output string
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List intercepts",
		Long: `List the intercepts that stand in a namespace, one line for each developer who holds
one: who, on which machine, since when, which requests they have claimed, whether their
devtun is connected, how many requests it got so far, and where they go. The agents are
asked for the last three; what they do not say is unknown.
What others have changed, deleted or put back since is noted, and so is an intercept
whose plan somebody has deleted. A namespace's relay is in the list, too, for each who
holds it, with the targets that they have named to it.

With -A those of all namespaces are listed. Who may not look in all of them gets what is
in those that may be looked in, and a note about the others.`,
		Example: `  devtun list
  devtun list -A
  devtun list -n demo -o json`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return problem.Usage("the only other output is json", "unknown --output %q", output)
			}
			if all && len(flags.Namespaces) > 0 {
				return problem.Usage("use one of them", "--all-namespaces and --namespace cannot be used together")
			}
			return runList(cmd.Context(), flags, all, output, streams)
		},
	}
	flags = kube.NewFlags(cmd.Flags())
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "list those of all namespaces")
	cmd.Flags().StringVarP(&output, "output", "o", "", "'json' for one JSON object a line")
	return cmd
}

// Listed is a claim on an intercept, and how the agents stand to it.
type Listed struct {
	Name      string      `json:"name"`
	Namespace string      `json:"namespace"`
	Workload  plan.Object `json:"workload"`
	Services  []string    `json:"services"`
	Mode      plan.Mode   `json:"mode"`
	Claim     string      `json:"claim"` // its ID; "" of an older devtun's
	Owner     plan.Owner  `json:"owner"`
	Rule      claim.Rule  `json:"rule"`
	TLS       bool        `json:"tls"`
	Mirror    bool        `json:"mirror"`
	Reach     []string    `json:"reach,omitempty"` // of a relay: what it names beside the namespace's own
	Connected string      `json:"connected"`       // yes, no, unknown
	Requests  int64       `json:"requests"`        // that came; 0 if that is unknown
	Traffic   string      `json:"traffic"`         // developer, origin, held, both, nobody, elsewhere, none, unknown
	Note      string      `json:"note"`            // what is not as the intercept wants it; may be empty
}

// rule is which requests are claimed, for people.
func (l Listed) rule() string {
	if l.Mode == plan.Relay {
		return cmp.Or(strings.Join(l.Reach, ","), "-")
	}
	text := l.Rule.String()
	if l.TLS {
		text += ", and TLS"
	}
	if l.Mirror {
		text = "copies of " + text
	}
	return text
}

func runList(ctx context.Context, flags *kube.Flags, all bool, output string, streams output.Streams) error {
	list := listIn
	if all {
		list = func(ctx context.Context, flags *kube.Flags) (*lister, []plan.Held, error) {
			return listAll(ctx, flags, streams)
		}
	}
	s, held, err := list(ctx, flags)
	if s == nil {
		return err
	}
	transport, terr := s.cluster.Transport(tunnel.Auto)
	if terr != nil {
		return terr
	}
	pool := tunnel.NewPool(transport.Dial)
	defer pool.Close()
	of := make([][]Listed, len(held))
	var asking sync.WaitGroup
	for i, h := range held {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			of[i] = s.rows(ctx, h, intercept.Ask(ctx, s.cluster.Client, pool.Dial, h.Plan))
		})
	}
	asking.Wait()
	rows := slices.Concat(of...)
	if output == "json" {
		encoder := json.NewEncoder(streams.Out)
		for _, row := range rows {
			if err := encoder.Encode(row); err != nil {
				return err
			}
		}
		return err
	}
	if len(rows) == 0 && err == nil {
		where := "namespace " + s.namespace
		if all {
			where = "any namespace that could be looked in"
		}
		fmt.Fprintf(streams.Err, "no intercepts in %s\n", where)
		if !all && len(flags.Namespaces) == 0 {
			fmt.Fprintln(streams.Err, "hint: -A lists those of all namespaces")
		}
		return nil
	}
	table := tabwriter.NewWriter(streams.Out, 0, 0, 2, ' ', 0)
	if all {
		fmt.Fprint(table, "NAMESPACE\t")
	}
	fmt.Fprintln(table, "NAME\tSERVICES\tMODE\tOWNER\tMACHINE\tSINCE\tRULE\tCONNECTED\tREQUESTS\tTRAFFIC\tNOTE")
	for _, row := range rows {
		if all {
			fmt.Fprintf(table, "%s\t", row.Namespace)
		}
		since := "-"
		if !row.Owner.Since.IsZero() {
			since = row.Owner.Since.Local().Format(time.DateTime)
		}
		requests := "-"
		if row.Connected != unknown {
			requests = strconv.FormatInt(row.Requests, 10)
		}
		fmt.Fprintln(table, strings.Join([]string{row.Name, cmp.Or(strings.Join(row.Services, ","), "-"),
			string(row.Mode), cmp.Or(row.Owner.User, "-"), cmp.Or(row.Owner.Machine, "-"), since, row.rule(),
			row.Connected, requests, status.Where(row.Traffic, "developer", false), cmp.Or(row.Note, "-")}, "\t"))
	}
	table.Flush()
	return err
}

const (
	unknown   = "unknown"
	noTraffic = "none" // no Service leads to the workload
)

// rows are those of an intercept, given what its agents say.
func (s *lister) rows(ctx context.Context, h plan.Held, statuses []wire.Status) (rows []Listed) {
	findings, err := plan.Find(ctx, s.client, h.Plan)
	claims := h.Claims
	if len(claims) == 0 {
		claims = []claim.Claim{{User: h.Owner.User, Machine: h.Owner.Machine, Since: h.Owner.Since}}
	}
	for _, c := range claims {
		row := Listed{
			Name: h.Name, Namespace: h.Namespace, Workload: h.Workload, Services: h.Services, Mode: h.Mode,
			Claim: c.ID, Owner: plan.Owner{User: c.User, Machine: c.Machine, Since: c.Since},
			Rule: c.Rule, TLS: c.TLS, Mirror: c.Mirror, Reach: c.Reach,
		}
		to, why := intercept.TrafficOf(h.Plan, row.ask(statuses), findings)
		row.Traffic, row.Note = cmp.Or(string(to), unknown), why
		if len(h.Services) == 0 && to == wire.Held && !s.orphans[h.Identity] {
			row.Traffic = noTraffic
		}
		switch {
		case s.orphans[h.Identity]:
			row.Note = fmt.Sprintf("its plan is gone; put it back: devtun restore %s -n %s", h.Name, h.Namespace)
		case h.Ending && row.Note == "":
			row.Note = "it is being restored"
		case err != nil && row.Note == "":
			row.Note = err.Error()
		}
		rows = append(rows, row)
	}
	return rows
}

// ask fills in what the agents say of the claim, and returns where they send its requests;
// "" if none says.
func (l *Listed) ask(statuses []wire.Status) (to wire.Side) {
	l.Connected = unknown
	if len(statuses) > 0 {
		l.Connected, to = "no", intercept.WithoutDeveloper(l.Mode)
	}
	var states []wire.State
	for _, status := range statuses {
		for _, c := range status.Claims {
			if c.ID != l.Claim {
				continue
			}
			l.Requests += c.Requests
			if c.Connected {
				l.Connected, states = "yes", append(states, c.States...)
			}
		}
	}
	for i, state := range states {
		if i > 0 && to != state.To {
			return intercept.Both
		}
		to = state.To
	}
	return to
}
