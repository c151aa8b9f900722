package plan

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExamine(t *testing.T) {
	step := point("web", `{"app":"web"}`, `{"app":"devtun-web-1"}`)
	for _, c := range []struct {
		about, object string
		state         State
		found         string
	}{
		{"as it was", `{"spec":{"selector":{"app":"web"}}}`, Restored, ""},
		{"as we left it", `{"spec":{"selector":{"app":"devtun-web-1"}}}`, Standing, ""},
		{"one key more", `{"spec":{"selector":{"app":"devtun-web-1","a":"b"}}}`, Foreign, `{"a":"b","app":"devtun-web-1"}`},
		{"gone", `{"spec":{}}`, Foreign, `null`},
		{"no spec", `{}`, Foreign, `null`},
		{"another shape", `{"spec":[1]}`, Foreign, `null`},
	} {
		state, conflicts, err := step.Examine([]byte(c.object))
		require.NoError(t, err, c.about)
		require.Equal(t, c.state, state, c.about)
		if c.found == "" {
			require.Empty(t, conflicts, c.about)
			continue
		}
		require.Len(t, conflicts, 1, c.about)
		require.JSONEq(t, c.found, string(conflicts[0].Found), c.about)
		require.JSONEq(t, `{"app":"devtun-web-1"}`, string(conflicts[0].Expected), c.about)
		require.Equal(t, "/spec/selector", conflicts[0].Field)
	}
	_, _, err := step.Examine([]byte(`nonsense`))
	require.ErrorContains(t, err, `read Service "web"`)
}

func TestConflict(t *testing.T) {
	web := Object{"Deployment", "web"}
	for want, c := range map[string]Conflict{
		`Deployment "web" was recreated by somebody else`: {web, "/metadata/uid",
			[]byte(`"a"`), []byte(`"b"`)},
		`Deployment "web" has been scaled by somebody else: it has 5 replicas, not 0`: {web, "/spec/replicas",
			[]byte(`0`), []byte(`5`)},
		`Deployment "web" has been changed by somebody else: /spec/selector is null, not "a"`: {web, "/spec/selector",
			[]byte(`"a"`), []byte(`null`)},
	} {
		require.Equal(t, want, c.String())
	}
}

func TestLookUp(t *testing.T) {
	document := map[string]any{"a/b": map[string]any{"~": []any{"x", "y"}}}
	require.Equal(t, "y", lookUp(document, "/a~1b/~0/1"))
	require.Nil(t, lookUp(document, "/a~1b/~0/2"))
	require.Nil(t, lookUp(document, "/a~1b/~0/x"))
	require.Equal(t, document, lookUp(document, ""))
}

func TestNames(t *testing.T) {
	require.Equal(t, "devtun-web", ObjectName("web"))
	require.Equal(t, "devtun-origin-web", OriginName("web"))
	require.NotEqual(t, AgentID("web", "one"), AgentID("web", "two"))
	long := strings.Repeat("a", 54)
	for _, name := range []func(string) string{ObjectName, OriginName, LabelValue,
		func(s string) string { return AgentID(s, "one") }} {
		for _, n := range []string{long, long + "b", strings.Repeat("a", 200), strings.Repeat("a.", 100)} {
			require.LessOrEqual(t, len(name(n)), 63)
		}
		require.NotEqual(t, name(strings.Repeat("a", 200)), name(strings.Repeat("a", 201)))
	}
}
