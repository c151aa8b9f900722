package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// reference is the pages of the command reference by file name.
func reference(root *cobra.Command) (map[string][]byte, error) {
	pages := make(map[string][]byte)
	index := new(strings.Builder)
	index.WriteString("# Command reference\n\nGenerated from the commands by `make docs`; `devtun help COMMAND` and " +
		"the man pages say the same.\n\n")
	for _, cmd := range documented(root) {
		var page bytes.Buffer
		if err := doc.GenMarkdown(cmd, &page); err != nil {
			return nil, err
		}
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "_") + ".md" // as GenMarkdown links them
		pages[name] = append(bytes.TrimRight(page.Bytes(), "\n"), '\n')
		fmt.Fprintf(index, "- [%s](%s): %s\n", cmd.CommandPath(), name, cmd.Short)
	}
	pages["README.md"] = []byte(index.String())
	return pages, nil
}

// documented lists root and all below it that are not hidden, their texts made
// Markdown.
func documented(root *cobra.Command) []*cobra.Command {
	root.DisableAutoGenTag = true // it has today's date in it
	root.Long = markdown(root.Long)
	all := []*cobra.Command{root}
	for _, child := range root.Commands() {
		if child.IsAvailableCommand() || child.Name() == "help" {
			all = append(all, documented(child)...)
		}
	}
	return all
}

// markdown makes Markdown of a command's text: what is indented is a table, whose
// lines stay as they are.
func markdown(text string) string {
	var made []string
	table := false
	for _, line := range strings.Split(text, "\n") {
		indented := strings.HasPrefix(line, "  ")
		if indented && !table && len(made) > 0 && made[len(made)-1] != "" {
			made = append(made, "")
		}
		if table = indented; table {
			line = "  " + line
		}
		made = append(made, line)
	}
	return strings.Join(made, "\n")
}

// write makes dir hold just these pages.
func write(dir string, pages map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	there, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return err
	}
	for _, file := range there {
		if pages[filepath.Base(file)] == nil {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	return writeAll(dir, pages)
}

func writeAll(dir string, files map[string][]byte) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare fails unless dir holds just these pages.
func compare(dir string, pages map[string][]byte) error {
	there, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return err
	}
	var left []string
	for _, file := range there {
		if pages[filepath.Base(file)] == nil {
			left = append(left, filepath.Base(file))
		}
	}
	return stale(dir, pages, left...)
}

// stale fails unless these files stand in dir, and names those that are left over besides.
func stale(dir string, files map[string][]byte, left ...string) error {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(text, files[name]) {
			found = append(found, name)
		}
	}
	if found = append(found, left...); len(found) > 0 {
		return fmt.Errorf("%s of %s is not what the program says: run 'make docs'", strings.Join(found, ", "), dir)
	}
	return nil
}
