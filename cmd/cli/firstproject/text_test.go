package firstproject

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/project"
)

// block is what may be taken in together.
var block = regexp.MustCompile(`(?m)^#[a-z]+:\n(?:#  .*\n)+`)

// TestAFirstProjectCanBeRead as it is, and with each block of it taken in.
func TestAFirstProjectCanBeRead(t *testing.T) {
	web := corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	for about, first := range map[string]contents{
		"nothing": {namespace: "demo"},
		"forward": {namespace: "123", services: []corev1.Service{web}},
		"forward intercepts env": {namespace: "demo", services: []corev1.Service{web}, workloads: []workload{
			{"deploy", "web", []string{"web:80"}}}},
		"forward intercepts run env": {namespace: "demo", services: []corev1.Service{web}, run: "go run .",
			workloads: []workload{
				{"deploy", "web", []string{"web:80"}}, {"sts", "db", []string{"db:5432"}}}},
	} {
		text := first.text()
		p, err := project.Parse("f", []byte(text))
		require.NoError(t, err, text)
		require.Equal(t, &project.Project{Namespace: first.namespace}, p, "no context, and nothing else")
		var found []string
		for _, commented := range block.FindAllString(text, -1) {
			found = append(found, commented[1:strings.Index(commented, ":")])
			taken := strings.Replace(text, commented, strings.ReplaceAll("\n"+commented, "\n#", "\n"), 1)
			p, err := project.Parse("f", []byte(taken))
			require.NoError(t, err, taken)
			require.NotEqual(t, &project.Project{Namespace: first.namespace}, p, taken)
		}
		require.Equal(t, about, cmp.Or(strings.Join(found, " "), "nothing"), text)
	}
}

func TestTheCommandOfAFolder(t *testing.T) {
	folder := t.TempDir()
	require.Empty(t, commandIn(folder))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "package.json"), nil, 0o600))
	require.Equal(t, "npm start", commandIn(folder))
}

func TestTheSchemaIsBesideTheFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, schemaName)
	for range 2 {
		name, err := writeSchema(filepath.Join(folder, "devtun.yaml"))
		require.NoError(t, err)
		require.Equal(t, schemaName, name)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, project.Schema, text)
	}
	require.NoError(t, os.WriteFile(path, []byte("{}"), 0o600))
	name, err := writeSchema(filepath.Join(folder, "devtun.yaml"))
	require.NoError(t, err)
	require.Equal(t, schemaURL, name, "somebody else's file stays")
}
