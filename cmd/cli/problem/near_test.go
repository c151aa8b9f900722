package problem

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNear(t *testing.T) {
	names := []string{"service-front", "service-middle", "service-back", "db", "web"}
	for typed, want := range map[string]string{
		"service-front":   "service-front",
		"service-frnot":   "service-front",
		"servicefront":    "service-front",
		"sevrice-middel":  "service-middle",
		"front":           "service-front", // a part of one
		"service-back-v2": "service-back",  // one with more to it
		"elasticsearch":   "",
		"queue":           "",
		"wen":             "web",
		"de":              "db",
		"v":               "",
		"backend":         "",
		"webhook-gateway": "", // more than half of it would be wrong
		"database":        "",
		"wbe":             "web",
		"e":               "",
	} {
		require.Equal(t, want, Near(typed, names), typed)
	}
	require.Empty(t, Near("nosuchsvc", []string{"v", "s", "svc"}))
	require.Equal(t, "cache", Near("cahce", []string{"cache", "api"}))
	require.Empty(t, Near("web", nil))
	require.Equal(t, "ab", Near("aa", []string{"ac", "ab"}), "of equals the first, however they are listed")
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ab", 1},
		{"ab", "abc", 1}, {"ab", "ba", 1}, {"abcd", "badc", 2}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2},
	} {
		require.Equal(t, c.want, editDistance(c.a, c.b), "%s, %s", c.a, c.b)
	}
}
