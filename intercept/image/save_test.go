package image

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"
)

func entries(t *testing.T, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, entry := range found {
		names = append(names, entry.Name())
	}
	return names
}

func TestSaveReplacesWholeFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "out.tar")
	require.NoError(t, os.WriteFile(file, []byte("what was there"), 0o600))
	require.Error(t, Save(file, Named{"no name", small(t, "one")}))
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "what was there", string(content), "a failure leaves it")
	require.Equal(t, []string{"out.tar"}, entries(t, dir))

	require.NoError(t, Save(file, Named{"devtun.test/one:dev", small(t, "one")}))
	one := tag(t, "devtun.test/one:dev")
	_, err = tarball.ImageFromPath(file, &one)
	require.NoError(t, err)
	require.Equal(t, []string{"out.tar"}, entries(t, dir))
}

func TestSaveFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "out.tar"), filepath.Join(dir, "link.tar")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	if err := os.Symlink("out.tar", link); err != nil {
		t.Skip("no links here: ", err)
	}
	require.NoError(t, Save(link, Named{"devtun.test/one:dev", small(t, "one")}))
	target, err := os.Readlink(link)
	require.NoError(t, err)
	require.Equal(t, "out.tar", target)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.NotZero(t, info.Size())
}

func TestSaveLeavesAloneWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	require.ErrorContains(t, Save(dir, Named{"devtun.test/one:dev", small(t, "one")}), "is not a file")
	require.ErrorContains(t, Save(os.DevNull, Named{"devtun.test/one:dev", small(t, "one")}), "is not a file")
	require.ErrorIs(t, Save(filepath.Join(dir, "nowhere", "out.tar"), Named{"devtun.test/one:dev", small(t, "one")}),
		os.ErrNotExist)
	require.Empty(t, entries(t, dir))
}
