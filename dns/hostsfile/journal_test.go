package hostsfile

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExamine(t *testing.T) {
	grow := record{Old: []byte("abc\n"), New: []byte("XXXXabc\n")}
	shrink := record{Old: grow.New, New: grow.Old}
	for _, c := range []struct {
		about   string
		record  record
		content string
		want    state
	}{
		{"untouched", grow, "abc\n", complete},
		{"untouched, appended to", grow, "abc\nd\n", complete},
		{"untouched, appended to at length", grow, "abc\ndefghijk\n", complete},
		{"extended", grow, "abc\n\x00\x00\x00\x00", torn},
		{"half written", grow, "XXX\n\x00\x00\x00\x00", torn},
		{"half written, appended to", grow, "XXX\n\x00\x00\x00\x00d\n", torn},
		{"blocks in any order", grow, "abc\nabc\n", torn},
		{"written", grow, "XXXXabc\n", complete},
		{"written, appended to", grow, "XXXXabc\nd\n", complete},
		{"made anew", grow, "something else\n", unrelated},
		{"made anew and short", grow, "x", unrelated},
		{"emptied", grow, "", unrelated},
		{"shrink: half written", shrink, "abXXabc\n", torn},
		{"shrink: not truncated", shrink, "abc\nabc\n", torn},
		{"shrink: not truncated, appended to", shrink, "abc\nabc\nd\n", torn},
		{"shrink: done", shrink, "abc\n", complete},
		{"shrink: done, appended to", shrink, "abc\nd\n", complete},
		{"shrink: made anew", shrink, "something else\n", unrelated},
	} {
		require.Equal(t, c.want, c.record.examine([]byte(c.content)), c.about)
	}
}

func TestReplay(t *testing.T) {
	grow := record{Old: []byte("abc\n"), New: []byte("XXXXabc\n")}
	shrink := record{Old: grow.New, New: grow.Old}
	for _, c := range []struct {
		about         string
		record        record
		content, want string
	}{
		{"half grown", grow, "XXX\n\x00\x00\x00\x00", "XXXXabc\n"},
		{"half grown, appended to", grow, "XXX\n\x00\x00\x00\x00d\n", "XXXXabc\nd\n"},
		{"half shrunk", shrink, "abXXabc\n", "abc\n"},
		{"half shrunk, appended to", shrink, "abXXabc\nd\n", "abc\nd\n"},
		{"not begun", grow, "abc\nd\n", "abc\nd\n"},
	} {
		t.Run(c.about, func(t *testing.T) {
			path := hostsFile(t, c.content)
			journal := filepath.Join(t.TempDir(), "state", "journal.json")
			require.NoError(t, files{}.writeRecord(journal, c.record))
			saved, err := files{}.replay(t.Context(), path, journal)
			require.NoError(t, err)
			require.Empty(t, saved)
			require.Equal(t, c.want, contentAt(t, path))
			require.NoFileExists(t, journal)
		})
	}
}

func TestReplayKeepsWhatItDoesNotKnow(t *testing.T) {
	path := hostsFile(t, "made anew\n")
	journal := filepath.Join(t.TempDir(), "journal.json")
	require.NoError(t, files{}.writeRecord(journal, record{Old: []byte("abc\n"), New: []byte("XXXXabc\n")}))
	saved, err := files{}.replay(t.Context(), path, journal)
	require.NoError(t, err)
	require.NotEmpty(t, saved)
	require.Equal(t, "made anew\n", contentAt(t, path))
	require.NoFileExists(t, journal)
	raw, err := os.ReadFile(saved)
	require.NoError(t, err)
	require.True(t, bytes.Contains(raw, []byte(`"Old"`)))
	info, err := os.Stat(saved)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

func TestBrokenJournalStopsNobody(t *testing.T) {
	path := hostsFile(t, "127.0.0.1 localhost\n")
	h := newTestHosts(t, path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	journal := journalPath(h.state, path, info)
	require.NoError(t, os.MkdirAll(h.state, 0o700))
	require.NoError(t, os.WriteFile(journal, []byte("{"), 0o600))
	report, err := h.Set(t.Context(), someEntries(1))
	require.NoError(t, err)
	require.Len(t, report.Saved, 1)
}
