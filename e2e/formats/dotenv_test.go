// Package formats has what devtun writes read by the libraries of those it is written
// for.
package formats

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/joho/godotenv"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/handover"
)

// hostile are the values that the tests of handover have.
func hostile(t testing.TB) (values []string) {
	t.Helper()
	text, err := os.ReadFile("../../intercept/handover/testdata/hostile.txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		value, err := strconv.Unquote(strings.TrimSuffix(line, "\n"))
		require.NoError(t, err)
		values = append(values, value)
	}
	require.NotEmpty(t, values)
	return values
}

// requireRead wants godotenv to read what a file has of an environment: all but its gaps.
func requireRead(t testing.TB, environ []string) {
	t.Helper()
	variables := handover.Variables(environ)
	content, gaps := handover.Dotenv.Encode(variables)
	want := make(map[string]string)
	for _, v := range variables {
		want[v.Name] = v.Value
	}
	for _, gap := range gaps {
		if gap.Left {
			delete(want, gap.Name)
		}
	}
	got, err := godotenv.UnmarshalBytes(content)
	require.NoError(t, err, "%s", content)
	require.Equal(t, want, got, "%s", content)
}

func TestDotenvIsReadBackByGodotenv(t *testing.T) {
	var environ []string
	for i, value := range hostile(t) {
		environ = append(environ, "V"+strings.Repeat("_", i)+"="+value)
	}
	requireRead(t, environ)
}

func FuzzDotenv(f *testing.F) {
	for _, value := range hostile(f) {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsRune(value, 0) {
			t.Skip("no environment has it")
		}
		requireRead(t, []string{"BEFORE=it's", "M=" + value, "Z=\"after\""})
	})
}
