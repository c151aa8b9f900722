package help

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/kube"
)

func TestTextsAreAsWideAsTheTerminal(t *testing.T) {
	const table = "\n\n  a table   stays as it is, however long it is\n"
	const text = "One two three\nfour five." + table + "Six."
	require.Equal(t, "One two\nthree four\nfive."+table+"Six.\n", wrap(text, 10))
	require.Equal(t, "One two three four five."+table+"Six.\n", wrap(text, 80))
	require.Equal(t, "  ab  one\n      two\n  c   three\n", list([][2]string{{"ab", "one two"}, {"c", "three"}}, 10))
}

func TestHelpHasGroupsAndKubectlsFlagsApart(t *testing.T) {
	run := func(*cobra.Command, []string) error { return nil }
	root := &cobra.Command{Use: "devtun", Long: "What it is.", RunE: run}
	root.AddGroup(&cobra.Group{ID: "reach", Title: "Reach services"})
	forward := &cobra.Command{Use: "forward", GroupID: "reach", Short: "Reach them", Long: "Long.", RunE: run}
	root.AddCommand(forward, &cobra.Command{Use: "other", Short: "Do something else", RunE: run})
	kube.NewFlags(forward.Flags())
	forward.Flags().Bool("mine", false, "of this command")

	require.Equal(t, `What it is.

Usage:
  devtun COMMAND [flags]

Reach services:
  forward  Reach them

Commands:
  other  Do something else

Flags:
  -h, --help   help for devtun

Topics (devtun help TOPIC):
  exit-codes        What the process ends with
  environment       The environment variables that devtun reads
  files             The files that devtun reads and writes
  kubernetes-flags  kubectl's flags, which choose cluster and user

'devtun COMMAND --help' says more about a command.
`, Text(root, unknownWidth))

	said := Text(forward, unknownWidth)
	own, kubectls, found := strings.Cut(said, "\nKubernetes flags:\n")
	require.True(t, found)
	require.Contains(t, own, "--mine")
	require.Contains(t, own, "--namespace")
	require.NotContains(t, own, "--kubeconfig")
	require.Contains(t, kubectls, "--kubeconfig")
	require.NotContains(t, said, "--as-group")
}

func TestTopicsFit(t *testing.T) {
	for _, topic := range topics {
		for line := range strings.Lines(topic.text(unknownWidth)) {
			require.LessOrEqual(t, len(line)-1, unknownWidth, "%s: %s", topic.name, line)
		}
	}
}
