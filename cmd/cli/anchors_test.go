package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

// anchors are the lines that tools wait for, among all on standard error.
func anchors(text string) []string {
	return regexp.MustCompile(`(?m)^devtun: .*`).FindAllString(text, -1)
}

// types are the types of events in order, without those of a service.
func types(t *testing.T, lines string) (all []string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var event struct{ Type string }
		require.NoError(t, json.Unmarshal([]byte(line), &event))
		if event.Type != "service" {
			all = append(all, event.Type)
		}
	}
	return all
}

// play has a printer tell a whole session: a forward's, or an intercept's with its
// forwards.
func play(format string, intercepts bool) (out, complaint string) {
	var stdout, stderr bytes.Buffer
	streams := output.Streams{Out: &stdout, Err: &stderr}
	printer := forwardPrinter(streams, format, false)
	printer.part = intercepts
	printer.out.Write(output.Starting{Command: "it", Version: output.Version})
	for _, event := range scene[:6] {
		printer.tell(event)
	}
	if intercepts {
		events := &intercept.Events{Audience: intercept.Audience{Out: printer.out},
			Target: &target.Target{Workload: &target.Workload{}}}
		events.Progress("waiting")
		events.Standing(plan.Divert, time.Second)
		events.Ready(time.Second)
	}
	err := errors.New("it broke")
	printer.out.Write(console.End(err))
	problem.Of(err).Print(streams.Err)
	return stdout.String(), stderr.String()
}

func TestAnchors(t *testing.T) {
	_, complaint := play("", false)
	require.True(t, strings.HasPrefix(complaint, "devtun: starting it\n"), "the first line")
	require.Equal(t, []string{"devtun: starting it", "devtun: ready in 235ms", "devtun: error: it broke"},
		anchors(complaint))

	_, complaint = play("", true)
	require.Equal(t, []string{"devtun: starting it", "devtun: ready in 1s", "devtun: error: it broke"},
		anchors(complaint), "ready once, when the intercept stands")
	require.Less(t, strings.Index(complaint, "waiting"), strings.Index(complaint, "devtun: ready"))
}

func TestEventsOfReadiness(t *testing.T) {
	out, complaint := play("json", false)
	require.Equal(t, []string{"starting", "warning", "ready", "error"}, types(t, out))
	require.Equal(t, []string{"devtun: error: it broke"}, anchors(complaint))

	out, _ = play("json", true)
	require.Equal(t, []string{"starting", "warning", "forwarding", "progress", "intercept", "ready", "error"},
		types(t, out))
}

func TestPlainIsAsInAPipe(t *testing.T) {
	terminal := output.Streams{Terminal: true, Colour: true}
	require.Equal(t, output.Streams{}, terminal.Plain(true))
	require.Equal(t, terminal, terminal.Plain(false))
}
