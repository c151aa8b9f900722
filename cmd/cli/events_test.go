package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	link "github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// field is what the page of events says of one field.
type field struct {
	kind, about string
}

// always reports that every event of the type has the field, and else with which
// state it comes.
func (f field) always() (always bool, state string) {
	if found := with.FindStringSubmatch(f.about); found != nil {
		return false, found[1]
	}
	return true, ""
}

var (
	heading = regexp.MustCompile(`(?m)^### ([a-z]+)$`)
	with    = regexp.MustCompile("with `([a-z]+)`$")
	quoted  = regexp.MustCompile("`([A-Za-z]+)`")
)

// documentedEvents is what the page of events says of each type.
func documentedEvents(t *testing.T) map[string]map[string]field {
	t.Helper()
	return documentedTypes(t, "events.md")
}

// documentedTypes is the table below each heading of a page.
func documentedTypes(t *testing.T, name string) map[string]map[string]field {
	t.Helper()
	text := page(t, name)
	events := make(map[string]map[string]field)
	starts := heading.FindAllStringSubmatchIndex(text, -1)
	for i, start := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		section, _, _ := strings.Cut(text[start[1]:end], "\n## ")
		fields := make(map[string]field)
		for _, row := range table(section) {
			fields[strings.Trim(row[0], "`")] = field{kind: row[1], about: row[2]}
		}
		events[text[start[2]:start[3]]] = fields
	}
	return events
}

// printedEvents makes the printers print each of their events at least once.
func printedEvents(t *testing.T) (events []map[string]any) {
	t.Helper()
	var out bytes.Buffer
	printer := forwardPrinter(output.Streams{Out: &out}, "json", true)
	printer.out.Write(output.Starting{Command: "forward", Version: output.Version})
	for _, event := range slices.Concat(scene, relayScene) {
		printer.tell(event)
	}
	printer.out.Write(console.End(nil))
	forwardPrinter(output.Streams{Out: &out}, "json",
		true).out.Write(console.End(&problem.Problem{Err: errors.New("x"), Hint: "y", Code: problem.ExitMachine}))

	beside := forwardPrinter(output.Streams{Out: &out}, "json", true)
	beside.part = true
	p := &intercept.Events{
		Audience: intercept.Audience{Out: beside.out, Verbose: true},
		Target: &target.Target{Namespace: "demo",
			Workload: &target.Workload{Object: plan.Object{Kind: "Deployment", Name: "web"}},
			Ports:    []target.Port{{Service: "web", Number: 80, Target: 8080}}},
		Locals: []link.Local{{Port: 8080, Address: "localhost:8080"}},
	}
	beside.tell(forwards.Event{Ready: &forwards.ReadyEvent{Services: 1, Ports: 1, Took: time.Second}})
	p.Note("x", "y")
	p.Progress("x")
	p.Standing(plan.Divert, time.Second)
	p.Ready(time.Second)
	for _, event := range []link.Event{
		{Progress: &link.ProgressEvent{Message: "x"}},
		{Traffic: &link.TrafficEvent{Port: 8080, To: wire.ToOrigin, Why: "x"}},
		{Local: &link.LocalEvent{Port: 8080, Address: "localhost:8080", Open: true}},
		{Link: &link.LinkEvent{Pod: "x", State: link.Silent}},
		{Change: &link.ChangeEvent{What: link.Deleted}},
		{WatchError: &link.WatchErrorEvent{Message: "x"}},
		{Connection: &link.ConnectionEvent{Pod: "x", Port: 8080, Client: "10.0.0.1:1", Traffic: tunnel.Traffic{Sent: 1},
			Duration: time.Second, Reason: "x", Err: errors.New("y")}},
	} {
		p.Event(event)
	}
	p.Out.Write(p.Requested(requestScene[1], "front-5f9c"))
	object := plan.Object{Kind: "Service", Name: "web"}
	intercept.TellRestored(p.Out,
		&plan.Report{Plan: &plan.Plan{Name: "web", Namespace: "demo"},
			Conflicts: []plan.Conflict{{Object: object, Field: "/spec/selector", Expected: json.RawMessage(`{"a":"b"}`),
				Found: json.RawMessage(`null`)}}})
	for line := range strings.Lines(out.String()) {
		event := make(map[string]any)
		require.NoError(t, json.Unmarshal([]byte(line), &event))
		events = append(events, event)
	}
	return events
}

// kindOf is how the page names the kind of a JSON value.
func kindOf(value any) string {
	switch value := value.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	case []any:
		if len(value) == 0 {
			return "list of " // whatever
		}
		return "list of " + kindOf(value[0]) + "s"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", value)
}

func TestTheEventsPageHasEveryEventAndField(t *testing.T) {
	documented := documentedEvents(t)
	require.Contains(t, documented, "service")
	printed := make(map[string]bool)
	for _, event := range printedEvents(t) {
		is, _ := event["type"].(string)
		printed[is] = true
		require.Contains(t, documented, is)
		fields := documented[is]
		for name, value := range event {
			if name == "type" || name == "time" {
				continue
			}
			require.Contains(t, fields, name, is)
			require.True(t, strings.HasPrefix(fields[name].kind, kindOf(value)), "%s.%s is a %s", is, name, kindOf(value))
			requireObjects(t, fields[name], value)
		}
		for name, field := range fields {
			if always, state := field.always(); always || event["state"] == state {
				require.Contains(t, event, name, is)
			}
		}
	}
	require.Equal(t, slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(printed)))
}

// requireObjects compares the objects of a list with what is said of their fields.
func requireObjects(t *testing.T, said field, value any) {
	t.Helper()
	list, ok := value.([]any)
	if !ok || said.kind != "list of objects" || len(list) == 0 {
		return
	}
	about := with.ReplaceAllString(said.about, "")
	var want []string
	for _, name := range quoted.FindAllStringSubmatch(about, -1) {
		want = append(want, name[1])
	}
	require.ElementsMatch(t, want, slices.Collect(maps.Keys(list[0].(map[string]any))))
}

// A type that this test does not have printed cannot pass unseen.
func TestTheEventsPageHasEveryTypeInTheSource(t *testing.T) {
	literal := regexp.MustCompile(`\) Type\(\) string +\{ return "([a-z]+)" \}`)
	documented := documentedEvents(t)
	files, err := filepath.Glob("output/*.go")
	require.NoError(t, err)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, is := range literal.FindAllSubmatch(source, -1) {
			require.Contains(t, documented, string(is[1]), file)
			found++
		}
	}
	require.Greater(t, found, 10)
}

func TestTheEventsPageHasEveryValue(t *testing.T) {
	documented := documentedEvents(t)
	for _, c := range []struct {
		event, field string
		values       []string
	}{
		{"service", "state",
			[]string{string(forwards.Ready), string(forwards.Waiting), string(forwards.Skipped), string(forwards.Failed),
				string(forwards.Gone)}},
		{"intercept", "mode", []string{string(plan.Divert), string(plan.Replace), output.Mirror, output.Tap}},
		{"traffic", "to",
			[]string{string(wire.ToDeveloper), string(wire.ToOrigin), string(wire.Held), string(link.Both), string(link.Nobody),
				string(link.Elsewhere), string(wire.ToMirror)}},
		{"agent", "state", []string{string(link.Connected), string(link.Silent), string(link.Disconnected)}},
		{"agent", "link", []string{string(link.ByPortForward), string(link.ByProxy)}},
	} {
		about := documented[c.event][c.field].about
		var said []string
		for _, value := range quoted.FindAllStringSubmatch(with.ReplaceAllString(about, ""), -1) {
			said = append(said, value[1])
		}
		require.ElementsMatch(t, c.values, said, "%s.%s", c.event, c.field)
	}
}
