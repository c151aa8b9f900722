package sessions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/live"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/status"
)

// NewStatus is `devtun status`.
func NewStatus(streams output.Streams) *cobra.Command {
	var format string
	var watch bool
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show running sessions",
		Long: `Show the sessions of yours that run, or the one named: those that 'devtun up' has
started, and each 'devtun forward', 'devtun intercept' and 'devtun run' in the
foreground, which is called by its command and process, as forward.4711. Each service is
shown with its address, ports, ready pods, connections, bytes and last error, and each
intercept with where its traffic goes. With --watch it goes on until the session ends.

The exit code is 11 if no session is running.`,
		Example: `  devtun status
  devtun status shop -o json
  devtun status --watch`,
		Args: oneSession,
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "" && format != "json" {
				return problem.Usage("the only other output is json", "unknown --output %q", format)
			}
			return runStatus(cmd.Context(), args, format, watch, streams)
		},
		ValidArgsFunction: completeSessions,
	}
	cmd.Flags().StringVarP(&format, "output", "o", "", "'json' for one JSON object a line, one for each session")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again whenever something changes")
	formats := cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp)
	_ = cmd.RegisterFlagCompletionFunc("output", formats) // fails for want of the flag only
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
	canView := live.Possible(streams.In, output.Underlying(streams.Out), streams.Env)
	if watch && format == "" && len(names) == 1 && canView {
		return viewSession(ctx, directory, names[0], streams)
	}
	printer := &statusPrinter{out: streams.Out, json: format == "json", last: make(map[string]string)}
	if watch {
		return printer.watch(ctx, directory, names)
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
		if err := printer.print(s); err != nil {
			return err
		}
		shown++
	}
	if shown == 0 {
		return noSession(given(args), nil)
	}
	return nil
}

// statusPrinter prints snapshots.
type statusPrinter struct {
	out  io.Writer
	json bool

	mu   sync.Mutex
	last map[string]string // what was last shown of each session
}

// watch shows sessions whenever they change, until all have ended.
func (p *statusPrinter) watch(ctx context.Context, directory background.Directory, names []string) error {
	var watching sync.WaitGroup
	errs := make([]error, len(names))
	for i, name := range names {
		watching.Go(func() {
			client := directory.Client(name)
			if _, errs[i] = client.Await(ctx, directory); errs[i] == nil {
				errs[i] = client.Watch(ctx, p.print)
			}
			if errors.Is(errs[i], background.ErrNone) {
				errs[i] = nil
			}
		})
	}
	watching.Wait()
	return ending.UnlessEnded(ctx, errors.Join(errs...))
}

// print prints a snapshot, unless that would repeat what was printed last.
func (p *statusPrinter) print(s status.Snapshot) error {
	var text bytes.Buffer
	if p.json {
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(s); err != nil {
			return err
		}
	} else {
		writeStatus(&text, s)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last[s.Session] == text.String() {
		return nil
	}
	if len(p.last) > 0 && !p.json {
		fmt.Fprintln(p.out)
	}
	p.last[s.Session] = text.String()
	_, err := p.out.Write(text.Bytes())
	return err
}
