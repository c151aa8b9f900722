package help

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/devtun/devtun/cmd/cli/output"
)

const (
	// unknownWidth is that of lines where there is no terminal; in one they are as wide as
	// it is, but no wider than can be read well, and no narrower than makes sense.
	unknownWidth = 80
	mostWidth    = 100
	leastWidth   = 40
)

// Install has root and all below it print their help by this package.
func Install(root *cobra.Command, streams output.Streams) {
	write := func(cmd *cobra.Command) error {
		_, err := io.WriteString(cmd.OutOrStdout(), Text(cmd, width(streams.Out)))
		return err
	}
	root.SetUsageFunc(write)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { _ = write(cmd) }) // the reader may have gone
	command := newCommand(streams)
	if groups := root.Groups(); len(groups) > 0 {
		command.GroupID = groups[len(groups)-1].ID
	}
	root.SetHelpCommand(command)
}

// width is how wide lines may be.
func width(out io.Writer) int {
	if file, is := output.Underlying(out).(*os.File); is {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			return max(leastWidth, min(columns, mostWidth))
		}
	}
	return unknownWidth
}

// Text is the help of a command.
func Text(cmd *cobra.Command, width int) string {
	text := new(strings.Builder)
	section := func(title, body string) {
		if body != "" {
			fmt.Fprintf(text, "\n%s:\n%s\n", title, strings.TrimRight(body, "\n"))
		}
	}
	text.WriteString(wrap(cmd.Long, width))
	section("Usage", "  "+Usage(cmd))
	section("Examples", cmd.Example)
	for _, group := range cmd.Groups() {
		section(group.Title, list(commands(cmd, group.ID), width))
	}
	section("Commands", list(commands(cmd, ""), width))
	own, kubernetes := Flags(cmd)
	section("Flags", own.FlagUsagesWrapped(width))
	if kubernetes.HasFlags() {
		section("Kubernetes flags", often(kubernetes).FlagUsagesWrapped(width)+
			"      all others of kubectl's: 'devtun help kubernetes-flags'")
	}
	if !cmd.HasParent() {
		section("Topics (devtun help TOPIC)", list(topicRows(), width))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(text, "\n'%s COMMAND --help' says more about a command.\n", cmd.CommandPath())
	}
	return text.String()
}

// Usage is how a command is called.
func Usage(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND [flags]"
	}
	return cmd.UseLine()
}

// Commands are all below cmd, each with what it does.
func Commands(cmd *cobra.Command) (rows [][2]string) {
	for _, group := range cmd.Groups() {
		rows = append(rows, commands(cmd, group.ID)...)
	}
	return append(rows, commands(cmd, "")...)
}

// commands are those that stand in a group, "" for none.
func commands(cmd *cobra.Command, group string) (rows [][2]string) {
	for _, child := range cmd.Commands() {
		if child.GroupID == group && (child.IsAvailableCommand() || child.Name() == "help") {
			rows = append(rows, [2]string{child.Name(), child.Short})
		}
	}
	return rows
}
