package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

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
		dir := t.TempDir()
		require.NoError(t, writeMan(dir, footer{"devtun v1", "2026-01-02"}))
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

// TestManPagesSayWhatHelpSays: the defaults as a user has them, and what concerns every
// command.
func TestManPagesSayWhatHelpSays(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, writeMan(dir, footer{"devtun v1", "2026-01-02"}))
	text, err := os.ReadFile(filepath.Join(dir, "devtun-forward.1"))
	require.NoError(t, err)
	page := strings.NewReplacer(`\-`, "-", `\(aq`, "'").Replace(string(text))
	require.Contains(t, page, ".TP\n.B --hold duration\nhow long a connection waits for a ready pod (default 30s)\n")
	require.Contains(t, page, ".TP\n.B --hosts-file string\nwrite names to this file")
	require.NotContains(t, page, "[=false]")
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	require.NotContains(t, page, home)
	sections := regexp.MustCompile(`(?m)^\.SH (.+)$`).FindAllStringSubmatch(page, -1)
	var titles []string
	for _, section := range sections {
		titles = append(titles, section[1])
	}
	require.Equal(t, []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "KUBERNETES OPTIONS", "EXAMPLES",
		"EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"}, titles)
}
