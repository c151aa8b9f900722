package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// shells are those that devtun completes words in, and who writes the script.
var shells = []struct {
	name   string
	script func(root *cobra.Command, out io.Writer) error
}{
	{"bash", func(root *cobra.Command, out io.Writer) error { return root.GenBashCompletionV2(out, true) }},
	{"zsh", (*cobra.Command).GenZshCompletion},
	{"fish", func(root *cobra.Command, out io.Writer) error { return root.GenFishCompletion(out, true) }},
	{"powershell", (*cobra.Command).GenPowerShellCompletionWithDesc},
}

func newCompletion(streams output.Streams) *cobra.Command {
	var names []string
	for _, shell := range shells {
		names = append(names, shell.name)
	}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a shell's completion script",
		Long: `Print the script with which a shell completes devtun's commands, flags, services and
namespaces; the last two are asked of the cluster. SHELL is bash, zsh, fish or
powershell. Packages of devtun bring the scripts with them.`,
		Example: `  # bash, with the package bash-completion
  devtun completion bash | sudo tee /etc/bash_completion.d/devtun >/dev/null

  # zsh, into a directory of fpath
  devtun completion zsh >"${fpath[1]}/_devtun"

  # fish
  devtun completion fish >~/.config/fish/completions/devtun.fish

  # PowerShell, for this session; in $PROFILE for all
  devtun completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, shell := range shells {
				if len(args) == 1 && args[0] == shell.name {
					return shell.script(cmd.Root(), streams.Out)
				}
			}
			return problem.Usage("one of "+strings.Join(names, ", "), "devtun completion needs the name of a shell")
		},
	}
}
