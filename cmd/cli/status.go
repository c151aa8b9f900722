package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/live"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/status"
)

func newStatus(streams output.Streams) *cobra.Command {
	var output string
	var watch bool
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show what sessions hold",
		Long: `Show the sessions of yours that run, or the one named: those that 'devtun up' has
started, and each 'devtun forward', 'devtun intercept' and 'devtun run' in the
foreground, which is called by its command and process, as forward.4711. Each service is
shown with its address, ports, ready pods, connections, bytes and last error, and each
intercept with where its traffic goes. With --watch it goes on until the session ends.

The exit code is 11 if no session runs.`,
		Example: `  devtun status
  devtun status shop -o json
  devtun status --watch`,
		Args: oneSession,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "" && output != "json" {
				return problem.Usage("the only other output is json", "unknown --output %q", output)
			}
			return runStatus(cmd.Context(), args, output, watch, streams)
		},
		ValidArgsFunction: completeSessions,
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "'json' for one JSON object a line, one for each session")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again whenever something changes")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runStatus(ctx context.Context, args []string, format string, watch bool, streams output.Streams) error {
	directory, err := background.Default()
	if err != nil {
		return err
	}
	names, err := directory.Running()
	if err != nil {
		return err
	}
	if len(args) == 1 {
		name, _ := chooseSession(names, args)
		if name == "" {
			return noSession(args[0], names)
		}
		names = []string{name}
	}
	if len(names) == 0 {
		return noSession("", nil)
	}
	if watch && format == "" && len(names) == 1 && live.Possible(streams.In, output.Underlying(streams.Out), streams.Env) {
		return viewSession(ctx, directory, names[0], streams)
	}
	shower := &shower{out: streams.Out, json: format == "json", last: make(map[string]string)}
	if watch {
		return shower.watch(ctx, directory, names)
	}
	shown := 0
	for _, name := range names {
		s, err := directory.Client(name).Await(ctx, directory)
		if errors.Is(err, background.ErrNone) {
			continue // it has just ended
		}
		if err != nil {
			return err
		}
		if err := shower.show(s); err != nil {
			return err
		}
		shown++
	}
	if shown == 0 {
		return noSession(given(args), nil)
	}
	return nil
}

// viewSession shows a session in the terminal until it ends, or the user leaves.
func viewSession(ctx context.Context, directory background.Directory, name string, streams output.Streams) error {
	ctx, cancel := context.WithCancel(ctx)
	client := directory.Client(name)
	if _, err := client.Await(ctx, directory); err != nil {
		cancel()
		return err
	}
	snapshots := make(chan status.Snapshot)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	var lost error
	watching.Go(func() {
		defer close(snapshots)
		lost = client.Watch(ctx, func(s status.Snapshot) error {
			select {
			case snapshots <- s:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	})
	err := live.Run(ctx, live.Config{
		Next: func(ctx context.Context) (status.Snapshot, error) {
			select {
			case s, more := <-snapshots:
				if !more {
					return s, cmp.Or(lost, io.EOF)
				}
				return s, nil
			case <-ctx.Done():
				return status.Snapshot{}, context.Cause(ctx)
			}
		},
		In: streams.In, Out: output.Underlying(streams.Out), Env: streams.Env, Colour: streams.Colour,
	})
	if errors.Is(err, io.EOF) {
		fmt.Fprintf(streams.Out, "session %s has ended\n", name)
		return nil
	}
	return err
}

// shower prints snapshots.
type shower struct {
	out  io.Writer
	json bool

	mu   sync.Mutex
	last map[string]string // what was last shown of each session
}

// watch shows sessions whenever they change, until all have ended.
func (w *shower) watch(ctx context.Context, directory background.Directory, names []string) error {
	var watching sync.WaitGroup
	errs := make([]error, len(names))
	for i, name := range names {
		watching.Go(func() {
			client := directory.Client(name)
			if _, errs[i] = client.Await(ctx, directory); errs[i] == nil {
				errs[i] = client.Watch(ctx, w.show)
			}
			if errors.Is(errs[i], background.ErrNone) {
				errs[i] = nil
			}
		})
	}
	watching.Wait()
	return ending.UnlessEnded(ctx, errors.Join(errs...))
}

// show prints a snapshot, unless that would repeat what was printed last.
func (w *shower) show(s status.Snapshot) error {
	var text bytes.Buffer
	if w.json {
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(s); err != nil {
			return err
		}
	} else {
		writeStatus(&text, s)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last[s.Session] == text.String() {
		return nil
	}
	if len(w.last) > 0 && !w.json {
		fmt.Fprintln(w.out)
	}
	w.last[s.Session] = text.String()
	_, err := w.out.Write(text.Bytes())
	return err
}

// writeStatus writes a snapshot for people.
func writeStatus(out io.Writer, s status.Snapshot) {
	fmt.Fprintf(out, "session %s: %s (pid %d, since %s, %s)\n", s.Session, s.State, s.PID, s.Since.Local().Format("2006-01-02 15:04:05"), cmp.Or(s.File, "in the foreground"))
	if s.Error != "" {
		fmt.Fprintf(out, "error: %s\n", s.Error)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(s.Services) > 0 {
		fmt.Fprintln(table, "SERVICE\tSTATE\tADDRESS\tPORTS\tPODS\tOPEN\tTOTAL\tSENT\tRECEIVED\tLAST ERROR")
	}
	for _, service := range s.Services {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\n", serviceLabel(service, s.Namespace), service.State, cmp.Or(service.Address, "-"),
			cmp.Or(status.PortList(service.Ports), "-"), service.Pods, useCells(service.Use, service.Reason))
	}
	table.Flush()
	if len(s.Intercepts) > 0 {
		fmt.Fprintln(table, "INTERCEPT\tSTATE\tMODE\tAGENTS\tTRAFFIC\tOPEN\tTOTAL\tSENT\tRECEIVED\tLAST ERROR")
	}
	for _, i := range s.Intercepts {
		var traffic []string
		for _, r := range i.Routes {
			traffic = append(traffic, fmt.Sprintf("%s -> %s", strings.Join(r.Services, ","), routeTarget(r)))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", i.Workload, i.State, i.Mode, i.Agents, cmp.Or(strings.Join(traffic, "; "), "-"), useCells(i.Use, ""))
	}
	table.Flush()
}

// useCells are the columns that services and intercepts share.
func useCells(u status.Use, reason string) string {
	return fmt.Sprintf("%d\t%d\t%d\t%d\t%s", u.Open, u.Total, u.Sent, u.Received, cmp.Or(u.LastError, reason, "-"))
}

func serviceLabel(s status.Service, namespace string) string {
	label := s.Service
	if s.Pod != "" {
		label = s.Pod + "." + label
	}
	if s.Namespace != namespace {
		label += "." + s.Namespace
	}
	return label
}

// routeTarget is where a route leads, in the words of printed lines.
func routeTarget(r status.Route) string {
	target := r.To
	switch r.To {
	case "developer":
		return r.Local
	case "origin":
		target = "the origin"
	case "both":
		target = "the origin and " + r.Local
	}
	if r.Reason != "" {
		target += " (" + r.Reason + ")"
	}
	return target
}
