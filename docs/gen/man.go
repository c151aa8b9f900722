package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli"
	"github.com/devtun/devtun/cmd/cli/help"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// footer is what a man page says below its text.
type footer struct{ source, date string }

// writeMan writes the man page of each command, in the layout of man-pages(7).
func writeMan(dir string, foot footer) error {
	root := cli.Reference()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := make(map[string][]byte)
	for _, cmd := range documented(root) {
		files[manName(cmd)+".1"] = []byte(manPage(cmd, foot))
	}
	return writeAll(dir, files)
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

func manPage(cmd *cobra.Command, foot footer) string {
	page := new(strings.Builder)
	fmt.Fprintf(page, ".TH %q 1 %q %q \"devtun\"\n", strings.ToUpper(manName(cmd)), foot.date, foot.source)
	section := func(title, body string) {
		if body != "" {
			fmt.Fprintf(page, ".SH %s\n%s\n", title, strings.TrimSuffix(body, "\n"))
		}
	}
	section("NAME", roff(manName(cmd)+" - "+cmd.Short))
	section("SYNOPSIS", ".B "+roff(help.Usage(cmd)))
	section("DESCRIPTION", paragraphs(cmd.Long))
	own, kubernetes := help.Flags(cmd)
	section("COMMANDS", items(help.Commands(cmd)))
	section("OPTIONS", options(own))
	section("KUBERNETES OPTIONS", options(kubernetes))
	section("EXAMPLES", verbatim(cmd.Example))
	section("EXIT STATUS", items(exitCodes()))
	section("ENVIRONMENT", items(help.Environment))
	section("FILES", items(help.Files))
	section("SEE ALSO", roff(strings.Join(related(cmd), ", ")))
	return page.String()
}

// related are the pages of the command's parent and of those below it.
func related(cmd *cobra.Command) (pages []string) {
	if cmd.HasParent() {
		pages = append(pages, manName(cmd.Parent())+"(1)")
	}
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			pages = append(pages, manName(child)+"(1)")
		}
	}
	return append(pages, "kubectl(1)")
}

func exitCodes() (rows [][2]string) {
	for _, exit := range problem.ExitCodes {
		rows = append(rows, [2]string{fmt.Sprint(exit.Code), exit.Meaning})
	}
	return rows
}

// options lists flags, each with what it does and its default, as help says them.
func options(flags *pflag.FlagSet) string {
	var rows [][2]string
	flags.VisitAll(func(flag *pflag.Flag) {
		one := pflag.NewFlagSet("", pflag.ContinueOnError)
		one.AddFlag(flag)
		// pflag separates a flag from what it does by three spaces
		name, about, _ := strings.Cut(strings.TrimSpace(one.FlagUsages()), "   ")
		rows = append(rows, [2]string{name, strings.TrimSpace(about)})
	})
	return items(rows)
}

func items(rows [][2]string) string {
	text := new(strings.Builder)
	for _, row := range rows {
		fmt.Fprintf(text, ".TP\n.B %s\n%s\n", roff(row[0]), roff(row[1]))
	}
	return text.String()
}

// paragraphs has each paragraph of a text filled anew, and what is indented as it is.
func paragraphs(text string) string {
	var parts []string
	for _, part := range strings.Split(text, "\n\n") {
		if strings.HasPrefix(part, "  ") {
			parts = append(parts, verbatim(part))
		} else {
			parts = append(parts, roff(part))
		}
	}
	return strings.Join(parts, "\n.PP\n")
}

// verbatim is a text whose lines stay as they are.
func verbatim(text string) string {
	if text == "" {
		return ""
	}
	return ".nf\n" + roff(text) + "\n.fi"
}

// roff is a text without anything that roff would take for a request of its own.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\[u2026]`, "'", `\(aq`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
