package main

import (
	"encoding/json"
	"maps"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/output"
)

func TestWhatStandsBelowAnEventIsMadeAnew(t *testing.T) {
	made, err := eventFiles("..")
	require.NoError(t, err)
	projects, err := projectFiles("..")
	require.NoError(t, err)
	maps.Copy(made, projects)
	for name, text := range made {
		want, err := os.ReadFile("../" + name)
		require.NoError(t, err)
		require.Equal(t, string(want), string(text), "run 'make docs'")
	}
	require.True(t, json.Valid(made["events.schema.json"]))
}

func TestAHeadingForEachPartOfAProject(t *testing.T) {
	_, err := projectPage("# The project file\n", projectSchema{})
	require.ErrorContains(t, err, `no heading "The file"`)
	_, err = projectPage("\n### The file\n", projectSchema{})
	require.ErrorContains(t, err, "no description of The file, name")
}

func TestAHeadingForEachEvent(t *testing.T) {
	_, err := eventsPage("# Events\n\n### nonsense\n", nil)
	require.ErrorContains(t, err, `"nonsense"`)
	_, err = eventsPage("# Events\n\n### starting\n", comments{})
	require.ErrorContains(t, err, "no heading for agent, connection, error")
}

func TestEveryEventHasAComment(t *testing.T) {
	comments, err := readComments("../" + eventSource)
	require.NoError(t, err)
	for _, event := range output.Events {
		require.Contains(t, comments.of(event), "`"+event.Type()+"` ")
	}
}

func TestTextIsWrapped(t *testing.T) {
	require.Equal(t, "\n", wrap(""))
	require.Equal(t, "some words\n", wrap("some  words"))
}
