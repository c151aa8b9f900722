package help

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// topic is something that concerns many commands.
type topic struct {
	name, short string
	text        func(width int) string
}

var topics = []topic{
	{"exit-codes", "What the process ends with", func(width int) string {
		var rows [][2]string
		for _, exit := range problem.ExitCodes {
			rows = append(rows, [2]string{fmt.Sprint(exit.Code), exit.Meaning})
		}
		return "Exit codes:\n" + list(rows, width) + wrap(exitNote, width)
	}},
	{"environment", "The environment variables that devtun reads", func(width int) string {
		return "Environment variables:\n" + list(Environment, width)
	}},
	{"files", "The files that devtun reads and writes", func(width int) string {
		return "Files:\n" + list(Files, width)
	}},
	{"kubernetes-flags", "kubectl's flags, which choose cluster and user", func(width int) string {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		kube.NewFlags(flags)
		return "Flags of each command that speaks to a cluster, as kubectl has them:\n" + flags.FlagUsagesWrapped(width)
	}},
}

const exitNote = `
Once run or intercept has started its COMMAND, the command's own code is devtun's, and
128+n if signal n has ended it.`

// Environment is the variables that devtun reads, and the one that it sets.
var Environment = [][2]string{
	{"KUBECONFIG", "the kubeconfig files, as for kubectl (default: $HOME/.kube/config)"},
	{"HTTPS_PROXY, NO_PROXY", "the proxy to the API server, and the hosts that are reached without one"},
	{"DEVTUN_AGENT_IMAGE", "as --agent-image: an image that has the agent"},
	{"DEVTUN_FILES", "set for the COMMAND of run and intercept: the folder with the container's files"},
	{"SUDO_ASKPASS", "the program that asks for sudo's password where there is no terminal"},
	{"XDG_RUNTIME_DIR", "where running sessions are found (default: a folder in /tmp)"},
	{"XDG_STATE_HOME", "where devtun notes what must outlast its process (default: $HOME/.local/state)"},
	{"NO_COLOR", "without colours, if it has any value (no-color.org)"},
	{"TERM", "what the terminal can do; 'dumb' is without colours and table"},
}

// Files is those that devtun reads and writes.
var Files = [][2]string{
	{"devtun.yaml", "the project file: what 'devtun up' brings up"},
	{"$HOME/.kube/config", "the kubeconfig, unless --kubeconfig or KUBECONFIG names another"},
	{"/etc/hosts", "the names of services, in a block for each session ('devtun clean' removes what is left)"},
	{"$XDG_RUNTIME_DIR/devtun", "sockets and logs of the sessions that run"},
	{"$HOME/.local/state/devtun", "what must be undone if devtun is killed; root's is in /var/lib/devtun"},
}

func topicRows() (rows [][2]string) {
	for _, t := range topics {
		rows = append(rows, [2]string{t.name, t.short})
	}
	return rows
}

func topicNames() (names []string) {
	for _, t := range topics {
		names = append(names, t.name)
	}
	return names
}

// topicOf is the topic of that name.
func topicOf(args []string) (topic, bool) {
	i := slices.IndexFunc(topics, func(t topic) bool { return t.name == strings.Join(args, " ") })
	if i < 0 {
		return topic{}, false
	}
	return topics[i], true
}
