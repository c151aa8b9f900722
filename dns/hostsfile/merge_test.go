package hostsfile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMerge(t *testing.T) {
	for _, c := range []struct {
		about                      string
		base, current, other, want string
		conflict                   bool
	}{
		{about: "nothing happened", base: "a\n", current: "a\n", other: "a\n", want: "a\n"},
		{about: "appended to the old", base: "a\n", current: "a\n", other: "a\nb\n", want: "a\nb\n"},
		{about: "appended to the new", base: "a\n", current: "a\nb\n", other: "a\n", want: "a\nb\n"},
		{about: "appended to both", base: "a\n", current: "a\nb\n", other: "a\nc\n", want: "a\nb\nc\n"},
		{about: "merged already", base: "a\n", current: "a\nb\nc\n", other: "a\nc\n", want: "a\nb\nc\n"},
		{about: "merged, then grown", base: "a\n", current: "a\nb\nc\n", other: "a\nb\n", want: "a\nb\nc\n"},
		{about: "merged, then the writer went on", base: "a\n",
			current: "a\nb\nc\n", other: "a\nc\nd\n", want: "a\nb\nc\nd\n"},
		{about: "part of a line is no line", base: "a\n", current: "a\nbc\n", other: "a\nc\n", want: "a\nbc\nc\n"},
		{about: "a line that was there is appended again", base: "b\n",
			current: "b\na\n", other: "b\nb\n", want: "b\na\nb\n"},
		{about: "old rewritten", base: "a\n", current: "a\n", other: "x\n", want: "x\n"},
		{about: "old cut short", base: "a\nb\n", current: "a\nb\n", other: "a\n", want: "a\n"},
		{about: "new rewritten", base: "a\n", current: "x\n", other: "a\n", want: "x\n"},
		{about: "new rewritten, old appended to", base: "a\n", current: "x\n", other: "a\nb\n", want: "x\nb\n"},
		{about: "both rewritten alike", base: "a\n", current: "x\n", other: "x\n", want: "x\n"},
		{about: "both rewritten", base: "a\n", current: "x\n", other: "y\n", want: "x\n", conflict: true},
		{about: "no last newline", base: "a", current: "a", other: "a\nb\n", want: "a\nb\n"},
		{about: "no last newline, rewritten", base: "a\n", current: "x", other: "a\nb\n", want: "x\nb\n"},
		{about: "from empty", base: "", current: "", other: "b\n", want: "b\n"},
	} {
		t.Run(c.about, func(t *testing.T) {
			base := fingerprintOf([]byte(c.base))
			merged, ok := merge(base, []byte(c.current), []byte(c.other))
			require.Equal(t, !c.conflict, ok)
			require.Equal(t, c.want, string(merged))
			again, ok := merge(base, merged, []byte(c.other))
			require.Equal(t, !c.conflict, ok)
			require.Equal(t, c.want, string(again), "merging twice is merging once")
		})
	}
}
