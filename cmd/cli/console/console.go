package console

import (
	"context"
	"io"

	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli/credential"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns/helper"
)

// Style is how a command's user is told of events.
type Style struct {
	Output  string // "json" for objects
	Plain   bool   // lines as in a pipe, in a terminal too
	Verbose bool   // of connections as well
}

// AddPlainFlag adds what commands have that show more in a terminal than in a pipe.
func AddPlainFlag(flags *pflag.FlagSet, plain *bool) {
	flags.BoolVar(plain, "plain", false, "print lines as in a pipe, in a terminal too: for an IDE's tasks")
}

// AddVerboseFlag adds what commands have that carry connections.
func AddVerboseFlag(flags *pflag.FlagSet, verbose *bool) {
	flags.BoolVarP(verbose, "verbose", "v", false,
		"tell of each request: status, duration, who answered; and of each connection: pod, bytes, why it ended")
}

// Validate refuses an --output that there is not.
func (s Style) Validate() error {
	if s.Output != "" && s.Output != "json" {
		return problem.Usage("the only other output is json", "unknown --output %q", s.Output)
	}
	return nil
}

// NewWriter returns what tells the user of events: as JSON, or as lines.
func NewWriter(streams output.Streams, format string, verbose bool) output.Writer {
	if format == "json" {
		return output.NewJSON(streams.Out, streams.Err)
	}
	return output.NewLines(streams.Out, streams.Err, look(streams, verbose))
}

// NewTable returns what tells the user of events in a live table, where that is possible
// and nothing else is wanted, and else nil and what openWriter does. The table is of what the
// tracker knows; its user ends the command by quit. The caller closes it.
func NewTable(
	streams output.Streams, style Style, tracker *status.Tracker, quit func(),
) (*output.Table, output.Writer) {
	if style.Output == "" && !style.Plain {
		table := output.NewTable(output.TableConfig{
			Tracker: tracker, Quit: quit, Cover: coverLogins, Look: look(streams, style.Verbose),
			In: streams.In, Out: streams.Out, Err: streams.Err, Env: streams.Env,
		})
		if table != nil {
			return table, table
		}
	}
	return nil, NewWriter(streams.Plain(style.Plain), style.Output, style.Verbose)
}

func look(streams output.Streams, verbose bool) output.Look {
	return output.Look{Columns: streams.Terminal, Colour: streams.Colour, Verbose: verbose}
}

// WarnUnfound warns that a command cannot be found as a session; nil is nothing.
func WarnUnfound(out output.Writer, err error) {
	if err != nil {
		out.Write(output.Warning{Message: err.Error()})
	}
}

func coverLogins(ctx context.Context, errors io.Writer, aside output.Aside) func() {
	return kube.Logins.Cover(ctx, credential.Cover{Said: errors, Aside: aside})
}

// Unasked is a helper.Start that asks for no password while a table has the terminal.
func Unasked(start helper.Start, shows func() bool) helper.Start {
	return func(ctx context.Context, ask bool) (*helper.Client, error) {
		return start(ctx, ask && !shows())
	}
}

// End is the event of a command's end.
func End(err error) output.Event {
	if err == nil {
		return output.Stopped{}
	}
	problem := problem.Of(err)
	return output.Error{Message: problem.Error(), Hint: problem.Hint, ExitCode: int(problem.Code)}
}

// WarnOfLogins has out told when a login stops working, and when it works again.
func WarnOfLogins(out output.Writer) {
	kube.TellLogins(func(message string, over bool) { out.Write(output.Warning{Message: message, Over: over}) })
}
