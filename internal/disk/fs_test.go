package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	draft := DraftPath(path)
	require.NotEqual(t, draft, DraftPath(path))
	require.NoError(t, os.WriteFile(draft, []byte("half a file"), 0o600))
	for _, content := range []string{"one\n", "another\n"} {
		require.NoError(t, FS{}.WriteFile(path, draft, []byte(content), 0o640))
		v, err := FS{}.Read(path)
		require.NoError(t, err)
		require.Equal(t, content, string(v.Content))
		require.NoFileExists(t, draft)
	}
}

// Whatever fails, the file is the old one or the new, and nothing lies beside it that
// this process could have removed.
func TestWriteFileFailsAtEveryOperation(t *testing.T) {
	const before, after = "before\n", "after\n"
	failed := errors.New("no")
	for k := 1; ; k++ {
		path := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(path, []byte(before), 0o644))
		count, last := 0, ""
		fs := FS{Step: func(op, _ string) error {
			if count++; count == k {
				last = op
				return failed
			}
			return nil
		}}
		err := fs.WriteFile(path, DraftPath(path), []byte(after), 0o644)
		content, rerr := os.ReadFile(path)
		require.NoError(t, rerr)
		entries, rerr := os.ReadDir(filepath.Dir(path))
		require.NoError(t, rerr)
		require.Len(t, entries, 1, last)
		if err == nil {
			require.Equal(t, after, string(content))
			require.Greater(t, k, 6)
			return
		}
		require.ErrorIs(t, err, failed)
		want := before
		if last == "syncdir" {
			want = after
		}
		require.Equal(t, want, string(content), last)
	}
}
