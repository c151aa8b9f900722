package lines

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSplitter(t *testing.T) {
	for _, c := range []struct {
		about  string
		max    int
		pieces []string
		want   []string
		part   string
	}{
		{"nothing", 0, []string{"", ""}, nil, ""},
		{"a line", 0, []string{"one\n"}, []string{"one"}, ""},
		{"in pieces", 0, []string{"o", "", "ne", "\n", "tw"}, []string{"one"}, "tw"},
		{"many at once", 0, []string{"one\n\ntwo\r\nthr", "ee\n"}, []string{"one", "", "two\r", "three"}, ""},
		{"a long one", 4, []string{"123", "456", "7\n89\n12345"}, []string{"1234", "89"}, "1234"},
	} {
		s := Splitter{Max: c.max}
		var got []string
		for _, piece := range c.pieces {
			for line := range s.Add([]byte(piece)) {
				got = append(got, line)
			}
		}
		require.Equal(t, c.want, got, c.about)
		require.Equal(t, c.part, s.Part(), c.about)
		require.Equal(t, c.part, s.Take(), c.about)
		require.Empty(t, s.Part(), c.about)
	}
}
