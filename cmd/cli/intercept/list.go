package intercept

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept"
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
		Short: "List the intercepts that stand",
		Long: `List the intercepts that stand in a namespace, whoever holds them: by whom, on which
machine, since when, in which mode, whether their devtun is connected, and where the
traffic goes. The agents are asked for the last two; what they do not say is unknown.
What others have changed, deleted or put back since is noted, and so is an intercept
whose plan somebody has deleted.

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
				return problem.Usage("leave one of them out", "--all-namespaces and --namespace exclude each other")
			}
			return runList(cmd.Context(), flags, all, output, streams)
		},
	}
	flags = kube.NewFlags(cmd.Flags())
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "list those of all namespaces")
	cmd.Flags().StringVarP(&output, "output", "o", "", "'json' for one JSON object a line")
	return cmd
}

// Listed is an intercept, and how its agents stand.
type Listed struct {
	Name      string      `json:"name"`
	Namespace string      `json:"namespace"`
	Workload  plan.Object `json:"workload"`
	Services  []string    `json:"services"`
	Mode      plan.Mode   `json:"mode"`
	Owner     plan.Owner  `json:"owner"`
	Connected string      `json:"connected"` // yes, no, unknown
	Traffic   string      `json:"traffic"`   // developer, origin, held, both, nobody, elsewhere, unknown
	Note      string      `json:"note"`      // what is not as the intercept wants it; may be empty
}

func runList(ctx context.Context, flags *kube.Flags, all bool, output string, streams output.Streams) error {
	list := listIn
	if all {
		list = func(ctx context.Context, flags *kube.Flags) (*lister, []*plan.Plan, error) {
			return listAll(ctx, flags, streams)
		}
	}
	s, plans, err := list(ctx, flags)
	if s == nil {
		return err
	}
	transport, terr := s.cluster.Transport(tunnel.Auto)
	if terr != nil {
		return terr
	}
	pool := tunnel.NewPool(transport.Dial)
	defer pool.Close()
	rows := make([]Listed, len(plans))
	var asking sync.WaitGroup
	for i, p := range plans {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			statuses := intercept.Ask(ctx, s.cluster.Client, pool.Dial, p)
			row := Listed{Name: p.Name, Namespace: p.Namespace, Workload: p.Workload, Services: p.Services, Mode: p.Mode,
				Owner: p.Owner, Connected: connected(statuses)}
			findings, err := plan.Find(ctx, s.client, p)
			to, why := intercept.TrafficOf(p, trafficOf(statuses), findings)
			row.Traffic, row.Note = cmp.Or(string(to), unknown), why
			if s.orphans[p.Identity] {
				row.Note = fmt.Sprintf("its plan is gone; put it back: devtun restore %s -n %s", p.Name, p.Namespace)
			} else if err != nil && row.Note == "" {
				row.Note = err.Error()
			}
			rows[i] = row
		})
	}
	asking.Wait()
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
		fmt.Fprintf(streams.Err, "no intercept stands in %s\n", where)
		if !all && len(flags.Namespaces) == 0 {
			fmt.Fprintln(streams.Err, "hint: -A lists those of all namespaces")
		}
		return nil
	}
	table := tabwriter.NewWriter(streams.Out, 0, 0, 2, ' ', 0)
	if all {
		fmt.Fprint(table, "NAMESPACE\t")
	}
	fmt.Fprintln(table, "NAME\tSERVICES\tMODE\tOWNER\tMACHINE\tSINCE\tCONNECTED\tTRAFFIC\tNOTE")
	for _, row := range rows {
		if all {
			fmt.Fprintf(table, "%s\t", row.Namespace)
		}
		since := "-"
		if !row.Owner.Since.IsZero() {
			since = row.Owner.Since.Local().Format(time.DateTime)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Name, cmp.Or(strings.Join(row.Services, ","), "-"),
			row.Mode, cmp.Or(row.Owner.User, "-"), cmp.Or(row.Owner.Machine, "-"),
			since, row.Connected, row.Traffic, cmp.Or(row.Note, "-"))
	}
	table.Flush()
	return err
}

const unknown = "unknown"

func connected(statuses []wire.Status) string {
	if len(statuses) == 0 {
		return unknown
	}
	for _, status := range statuses {
		if slices.ContainsFunc(status.Claims, func(c wire.ClaimStatus) bool { return c.Connected }) {
			return "yes"
		}
	}
	return "no"
}

// trafficOf says where the traffic of all ports goes, by all agents; "" if none says.
func trafficOf(statuses []wire.Status) wire.Side {
	to := wire.Side("")
	for _, status := range statuses {
		for _, c := range status.Claims {
			for _, state := range c.States {
				if to != "" && to != state.To {
					return intercept.Both
				}
				to = state.To
			}
		}
	}
	return to
}
