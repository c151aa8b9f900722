package hostsfile

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// replacements are what other tools make of the hosts file while a session has
// names in it: from what it was before devtun, an older version with this
// session's names, and the block of a session that is dead by now.
var replacements = []struct {
	about   string
	content func(original, older, stale string) string
	foreign func(original string) string // of that
	stale   bool                         // there is a dead session's block in it
}{
	{
		about:   "without our block",
		content: func(original, _, _ string) string { return original + "10.0.0.5 new\n" },
		foreign: func(original string) string { return original + "10.0.0.5 new\n" },
	},
	{
		about:   "an old copy with a stale block",
		content: func(original, _, stale string) string { return stale + original },
		foreign: func(original string) string { return original },
		stale:   true,
	},
	{
		about:   "an old copy of ours, a stale block and more",
		content: func(_, older, stale string) string { return "# restored\r\n" + stale + older + "10.0.0.5 new" },
		foreign: func(original string) string { return "# restored\r\n" + original + "10.0.0.5 new" },
		stale:   true,
	},
	{
		about:   "nothing",
		content: func(_, _, _ string) string { return "" },
		foreign: func(string) string { return "" },
	},
	{
		about:   "something else altogether",
		content: func(_, _, _ string) string { return "10.0.0.6\tanew \x00\r\n" },
		foreign: func(string) string { return "10.0.0.6\tanew \x00\r\n" },
	},
}

// manners are how tools write a file.
var manners = map[string]func(t *testing.T, path, content string){
	"by renaming": putFile,
	"in place": func(t *testing.T, path, content string) {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	},
	"deleted and made anew": func(t *testing.T, path, content string) {
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	},
}

// TestReplacedByOthers lets another tool write the file without our names:
// Watch tells, Set brings the names back, Remove leaves exactly what the tool
// wrote, and stale names are nobody's loss.
func TestReplacedByOthers(t *testing.T) {
	const original = "127.0.0.1\tlocalhost\n10.0.0.1 db # by hand\n"
	stale := newBlock("dddddddd", deadOwner, someEntries(2))
	for _, c := range replacements {
		for manner, write := range manners {
			t.Run(c.about+", "+manner, func(t *testing.T) {
				h, losses := watched(t)
				putFile(t, h.path, original)
				requireLoss(t, losses)
				_, err := h.Set(t.Context(), someEntries(1))
				require.NoError(t, err)
				older := contentAt(t, h.path)
				_, err = h.Set(t.Context(), someEntries(2))
				require.NoError(t, err)
				want := c.foreign(original)
				replaced := c.content(original, older, string(join(stale, nil)))

				write(t, h.path, replaced)
				requireLoss(t, losses)
				report, err := h.Set(t.Context(), someEntries(2))
				require.NoError(t, err)
				require.True(t, report.Wrote)
				require.Equal(t, c.stale, len(report.Cleaned) == 1 && report.Cleaned[0] == deadOwner)
				content := contentAt(t, h.path)
				ours, foreign := split([]byte(content))
				require.Equal(t, h.block, ours, "these and no others")
				require.Equal(t, want, string(foreign))

				write(t, h.path, replaced)
				_, err = h.Remove(t.Context())
				require.NoError(t, err)
				require.Equal(t, want, contentAt(t, h.path))
				requireNothingBeside(t, h.path)
			})
		}
	}
}
