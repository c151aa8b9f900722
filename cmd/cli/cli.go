// Package cli is the devtun command: it brings the commands together, each a package
// below this one, and has what belongs to none (help, clean, version).
//
// A command is a struct of options, a function that makes the cobra command, and one that
// runs it. Main is the one place where errors become exit codes and hints.
package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run/command"
)

// Main runs devtun with args and returns the exit code.
func Main(args []string, streams output.Streams) int {
	if len(args) > 0 && args[0] == command.Keeper { // before anything is set up that it must not have
		return keep(args[1:], streams)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ending.Signals()...)
	defer stop()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	queues := output.TakeOver(&streams.Out, &streams.Err, end, ctx.Done())
	code := execute(ctx, args, streams, queues)
	queues.Flush()
	if code == problem.ExitOK && output.Unread(ctx) {
		code = problem.ExitNoReader
	}
	return int(code)
}

// execute runs a command and returns the exit code.
func execute(ctx context.Context, args []string, streams output.Streams, queues *output.Queues) problem.ExitCode {
	// Tab asks nobody for a PIN
	kube.Logins.Silent = len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd)
	defer kube.Logins.Close()
	rights := machine.NewRights()
	streams.Env = os.Environ()
	streams.HelperEnv = rights.ChildEnv()
	quiet()
	root := newRoot(streams, rights.Helper)
	root.SetArgs(args)
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) { suit(queues, cmd) }
	err := rights.BecomeUser(ctx, root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	var exit *command.ExitError
	var told *problem.Problem
	switch {
	case err == nil:
		return problem.ExitOK
	case errors.As(err, &exit):
		return problem.ExitCode(exit.Code) // it has said itself what there was to say
	case output.Unread(ctx) && errors.Is(err, context.Canceled) && !errors.As(err, &told):
		return problem.ExitNoReader
	}
	told = problem.Of(err)
	told.Print(streams.Err)
	return told.Code
}

// suit has what a command writes treated as it needs.
func suit(queues *output.Queues, cmd *cobra.Command) {
	_, finishing := cmd.Annotations[ending.Finishes]
	_, changing := cmd.Annotations[machine.Changes]
	_, holding := cmd.Annotations[ending.Holds]
	queues.Suit(finishing, changing || holding)
}

// keep is the life of the process between `devtun run` and its command.
func keep(args []string, streams output.Streams) int {
	if err := command.Keep(args); err != nil {
		told := &problem.Problem{Err: err, Code: problem.ExitUsage, Hint: "'devtun run -- COMMAND' starts it"}
		told.Print(streams.Err)
		return int(told.Code)
	}
	return int(problem.ExitOK)
}

// quiet keeps client-go from writing its own log to the terminal: what matters
// of it reaches devtun as errors. It also has client-go notice a dead connection
// in 10 seconds, unless the user said otherwise; by default it takes 45, through
// which a watch tells nothing.
func quiet() {
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	for _, name := range []string{"HTTP2_READ_IDLE_TIMEOUT_SECONDS", "HTTP2_PING_TIMEOUT_SECONDS"} {
		if os.Getenv(name) == "" {
			_ = os.Setenv(name, "5") // it fails for no such name
		}
	}
}
