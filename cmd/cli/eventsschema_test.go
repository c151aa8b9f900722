package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/output"
)

// eventsSchema returns what checks a line by the schema of events.
func eventsSchema(t *testing.T) func(line string) error {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(page(t, "events.schema.json")))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("events.json", document))
	schema, err := compiler.Compile("events.json")
	require.NoError(t, err)
	return func(line string) error {
		event, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		require.NoError(t, err)
		return schema.Validate(event)
	}
}

func TestEventsAreAsTheirSchemaSays(t *testing.T) {
	check := eventsSchema(t)
	var out bytes.Buffer
	printEvery(output.Streams{Out: &out, Err: io.Discard}, "json", true)
	require.Greater(t, bytes.Count(out.Bytes(), []byte("\n")), 40)
	for line := range strings.Lines(out.String()) {
		require.NoError(t, check(line), line)
	}
}

func TestTheSchemaOfEventsIsAContract(t *testing.T) {
	check := eventsSchema(t)
	const stopped = `{"type":"stopped","time":"2026-11-24T18:26:54.991310631Z"}`
	require.NoError(t, check(stopped))
	for about, line := range map[string]string{
		"a type that is added":  strings.Replace(stopped, "stopped", "later", 1),
		"a field that is added": strings.Replace(stopped, "}", `,"why":"x"}`, 1),
	} {
		require.NoError(t, check(line), about)
	}
	for about, line := range map[string]string{
		"no time":      `{"type":"stopped"}`,
		"no such time": `{"type":"stopped","time":"yesterday"}`,
		"a field lost": strings.Replace(stopped, "stopped", "ready", 1),
		"another kind": `{"type":"progress","time":"2026-11-24T18:26:54Z","message":1}`,
		"no object":    `[]`,
	} {
		require.Error(t, check(line), about)
	}
}
