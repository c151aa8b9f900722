package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// askTimeout bounds the question to one intercept's agents.
const askTimeout = 5 * time.Second

func newList(streams Streams) *cobra.Command {
	var kube *kubeFlags
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the intercepts that stand",
		Long: `List the intercepts that stand in a namespace, whoever holds them: by whom, on which
machine, since when, in which mode, whether their devtun is connected, and where the
traffic goes. The agents are asked for the last two; what they do not say is unknown.`,
		Example: `  devtun list
  devtun list -n demo -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return usage("the only other output is json", "unknown --output %q", output)
			}
			return runList(cmd.Context(), kube, output, streams)
		},
	}
	kube = newKubeFlags(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "", "'json' for one JSON object a line")
	return cmd
}

// listed is an intercept, and how its agents stand.
type listed struct {
	Name      string      `json:"name"`
	Namespace string      `json:"namespace"`
	Workload  plan.Object `json:"workload"`
	Services  []string    `json:"services"`
	Mode      plan.Mode   `json:"mode"`
	Owner     plan.Owner  `json:"owner"`
	Connected string      `json:"connected"` // yes, no, unknown
	Traffic   string      `json:"traffic"`   // developer, origin, held, both, unknown
}

func runList(ctx context.Context, kube *kubeFlags, output string, streams Streams) error {
	s, plans, err := kube.intercepts(ctx)
	if s == nil {
		return err
	}
	transport, terr := s.cluster.transport(tunnel.Auto)
	if terr != nil {
		return terr
	}
	pool := tunnel.NewPool(transport.Dial)
	defer pool.Close()
	rows := make([]listed, len(plans))
	var asking sync.WaitGroup
	for i, p := range plans {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			statuses := intercept.Ask(ctx, s.cluster.client, pool.Dial, p)
			rows[i] = listed{p.Name, p.Namespace, p.Workload, p.Services, p.Mode, p.Owner, connected(statuses), trafficOf(statuses)}
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
		fmt.Fprintf(streams.Err, "no intercept stands in namespace %s\n", s.namespace)
		return nil
	}
	table := tabwriter.NewWriter(streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSERVICES\tMODE\tOWNER\tMACHINE\tSINCE\tCONNECTED\tTRAFFIC")
	for _, row := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Name, cmp.Or(strings.Join(row.Services, ","), "-"), row.Mode, row.Owner.User, row.Owner.Machine,
			row.Owner.Since.Local().Format("2006-01-02 15:04:05"), row.Connected, row.Traffic)
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
		if status.Connected {
			return "yes"
		}
	}
	return "no"
}

// trafficOf says where the traffic of all ports and agents goes.
func trafficOf(statuses []wire.Status) string {
	to := wire.Side("")
	for _, status := range statuses {
		for _, state := range status.States {
			if to != "" && to != state.To {
				return string(intercept.Both)
			}
			to = state.To
		}
	}
	return cmp.Or(string(to), unknown)
}
