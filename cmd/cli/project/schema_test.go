package project

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("schema.json", document))
	compiled, err := compiler.Compile("schema.json")
	require.NoError(t, err)
	return compiled
}

// validate is what an editor says of a file.
func validate(t *testing.T, schema *jsonschema.Schema, text []byte) error {
	t.Helper()
	converted, err := yaml.YAMLToJSON(text)
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(converted))
	require.NoError(t, err)
	return schema.Validate(document)
}

// TestSchemaHasEveryKey compares the schema's keys with those of the Go types, in
// their order too.
func TestSchemaHasEveryKey(t *testing.T) {
	type part struct {
		Properties map[string]struct {
			Description string
			Ref         string `json:"$ref"`
		}
		AdditionalProperties *bool
	}
	var all struct {
		part
		Defs map[string]part `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(Schema, &all))
	for kind, part := range map[reflect.Type]part{
		reflect.TypeFor[Project](): all.part, reflect.TypeFor[Forward](): all.Defs["forward"],
		reflect.TypeFor[Intercept](): all.Defs["intercept"], reflect.TypeFor[Match](): all.Defs["match"],
		reflect.TypeFor[Environment](): all.Defs["environment"], reflect.TypeFor[Run](): all.Defs["run"],
		reflect.TypeFor[Process](): all.Defs["process"],
	} {
		var keys []string
		for key := range part.Properties {
			keys = append(keys, key)
		}
		require.ElementsMatch(t, Keys(kind), keys, kind)
		require.NotNil(t, part.AdditionalProperties, kind)
		require.False(t, *part.AdditionalProperties, kind)
	}
	for key, property := range all.Defs["intercept"].Properties {
		require.NotEmpty(t, property.Description+property.Ref, key)
	}
}

// TestSchemaTellsWhatReadingTells has both judge the same files.
func TestSchemaTellsWhatReadingTells(t *testing.T) {
	schema := schema(t)
	for _, text := range []string{
		whole, "forward:\nintercepts:\n", "namespace: demo", "intercepts: [{workload: a, ports: [9090]}]",
		"nmespace: demo", "relay: true", "relay: false", "relay: only-needed", "relay: sometimes", "relay: [true]",
		"forward: {service: [a]}", "intercepts: [{workload: a, env-file: b}]", "forward: {services: a}",
		"name: [a]",
		"noForward: maybe", "[a]", "name: My Shop", "transport: ftp", "link: proxy", "link: rope", "forward: {hold: 5x}",
		"intercepts: [{workload: a, grace: -5s}]",
		"forward: {headers: ['x: 1', 'baggage: devtun=ann']}", "forward: {headers: [{x: 1}]}", "forward: {headers: ['x=1']}",
		"forward: {headers: ['x y: 1']}", "forward: {headers: ['x: ']}",
		"forward: {ports: [a:1]}", "intercepts: [{ports: [1:1]}]", "intercepts: [{workload: a, ports: [x:80]}]",
		"intercepts: [{workload: a, envFile: b, envFormat: toml}]",
		"intercepts: [{workload: a, match: {headers: [x=1], personal: true}}]", "intercepts: [{workload: a, match: }]",
		"intercepts: [{workload: a, match: {header: x=1}}]", "intercepts: [{workload: a, match: {headers: [x]}}]",
		"run: {a: go run .}", "run: {a: [go, run]}", "run: {a: {command: go run ., env: {A: 1, B: }}}", "run:",
		"run: {a: {command: b, env: [A=1, B]}}", "run: {a: {env: {A: 1}}}", "run: {a: []}", "run: {a: ''}", "run: {a: }",
		"run: go run .", "run: [go]", "run: {-a: b}", "run: {a: {command: b, as: deploy/c, container: d}}",
		"run: {a: {command: b, container: d}}", "intercepts: [{workload: a, run: go run .}]",
		"intercepts: [{workload: a, run: {command: b, workingDir: c}}]",
		"intercepts: [{workload: a, run: {command: b, as: c}}]",
		"intercepts: [{workload: a, run: {command: {a: b}}}]", "run: {a: {command: b, env: [{A: 1}]}}",
	} {
		_, read := Parse("f", []byte(text))
		judged := validate(t, schema, []byte(text))
		require.Equal(t, read == nil, judged == nil, "%s: reading: %v, the schema: %v", text, read, judged)
	}
}

func TestWordsOfTheSchema(t *testing.T) {
	var all struct {
		Properties map[string]struct{ Enum []string }
		Defs       map[string]struct {
			Properties map[string]struct{ Enum []string }
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(Schema, &all))
	require.Equal(t, Transports, all.Properties["transport"].Enum)
	require.Equal(t, Links, all.Properties["link"].Enum)
	require.Equal(t, EnvFormats, all.Defs["intercept"].Properties["envFormat"].Enum)
}

func TestExamplesAreValid(t *testing.T) {
	schema := schema(t)
	root := filepath.Join("..", "..", "..", "examples")
	var files []string
	require.NoError(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Name() == Name {
			files = append(files, path)
		}
		return err
	}))
	require.GreaterOrEqual(t, len(files), 2, "examples for two situations")
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, validate(t, schema, text), file)
		_, err = Read(file)
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(bytes.Split(text, []byte("\n")), func(line []byte) bool {
			return bytes.HasPrefix(line, []byte("# yaml-language-server: $schema="))
		}), file)
	}
}
