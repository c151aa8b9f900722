package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/cobra/doc"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli"
)

func TestTheReferenceIsTheSameEachTime(t *testing.T) {
	first, err := reference(cli.Reference())
	require.NoError(t, err)
	t.Setenv("HOME", t.TempDir())
	second, err := reference(cli.Reference())
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.Contains(t, first, "devtun_image_push.md")
	require.NotContains(t, first, "devtun_helper.md", "hidden")
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	for name, page := range first {
		require.NotContains(t, string(page), home, name)
		require.NotContains(t, string(page), time.Now().Format("2-Jan-2006"), name)
	}
}

func TestStalePagesAreNamed(t *testing.T) {
	dir := t.TempDir()
	pages := map[string][]byte{"one.md": []byte("1"), "two.md": []byte("2")}
	require.ErrorContains(t, compare(dir, pages), "one.md, two.md of "+dir+
		" is not what the program says: run 'make docs'")
	require.NoError(t, write(dir, pages))
	require.NoError(t, compare(dir, pages))

	gone := filepath.Join(dir, "gone.md")
	require.NoError(t, os.WriteFile(gone, nil, 0o644))
	require.ErrorContains(t, compare(dir, pages), "gone.md")
	require.NoError(t, write(dir, pages))
	require.NoFileExists(t, gone)
}

func TestTablesStayTables(t *testing.T) {
	require.Equal(t, "Codes:\n\n    0  done\n    1  not\n\nMore.", markdown("Codes:\n  0  done\n  1  not\n\nMore."))
}

func TestManPages(t *testing.T) {
	write := func() map[string]string {
		dir, day := t.TempDir(), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
		require.NoError(t, writeMan(dir, &doc.GenManHeader{Section: "1", Source: "devtun v1", Date: &day}))
		pages := make(map[string]string)
		files, err := filepath.Glob(filepath.Join(dir, "*.1"))
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			pages[filepath.Base(file)] = string(text)
		}
		return pages
	}
	pages := write()
	require.Equal(t, pages, write())
	require.Contains(t, pages["devtun-image-push.1"], `"devtun v1"`)
	require.Contains(t, pages, "devtun.1")
}
