package cli

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// commands lists every command of devtun by its path, but for those that cobra
// adds.
func commands(t *testing.T) map[string]*cobra.Command {
	t.Helper()
	all := make(map[string]*cobra.Command)
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		all[cmd.CommandPath()] = cmd
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(newRoot(Streams{}))
	require.Contains(t, all, "devtun forward")
	return all
}

func TestEveryCommandIsHelpful(t *testing.T) {
	for path, cmd := range commands(t) {
		require.Regexp(t, `^[A-Z][^\n]*[^.\n]$`, cmd.Short, path)
		require.Greater(t, len(cmd.Long), len(cmd.Short), path)
		require.Contains(t, cmd.Example, path, "an example runs the command")
		for line := range strings.Lines(cmd.Example) {
			require.LessOrEqual(t, len(line), 100, line)
		}
		require.NotNil(t, cmd.RunE, "%s: errors are returned, not printed", path)
	}
}

func TestEveryFlagIsDescribed(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	for path, cmd := range commands(t) {
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			require.Regexp(t, kebab, flag.Name, path)
			require.NotEmpty(t, flag.Usage, "%s --%s", path, flag.Name)
		})
	}
}

// kubectl's own flags must stay as they are there.
func TestKubectlsFlags(t *testing.T) {
	flags := commands(t)["devtun forward"].Flags()
	for name, short := range map[string]string{
		"kubeconfig": "", "context": "", "cluster": "", "user": "", "as": "", "as-group": "", "as-uid": "", "token": "", "server": "s",
		"tls-server-name": "", "insecure-skip-tls-verify": "", "certificate-authority": "", "client-certificate": "", "client-key": "",
		"request-timeout": "", "namespace": "n", "all-namespaces": "A", "selector": "l", "output": "o",
	} {
		flag := flags.Lookup(name)
		require.NotNil(t, flag, name)
		require.Equal(t, short, flag.Shorthand, name)
	}
}

func TestErrorsGoToStderr(t *testing.T) {
	for path := range commands(t) {
		var out, err bytes.Buffer
		args := append(strings.Fields(path)[1:], "--no-such-flag")
		code := Main(args, Streams{In: strings.NewReader(""), Out: &out, Err: &err})
		require.EqualValues(t, ExitUsage, code, path)
		require.Empty(t, out.String(), path)
		require.Equal(t, "devtun: error: unknown flag: --no-such-flag\nhint: run '"+path+" --help'\n", err.String())
	}
}

func TestHelpGoesToStdout(t *testing.T) {
	for path, cmd := range commands(t) {
		var out, err bytes.Buffer
		args := append(strings.Fields(path)[1:], "--help")
		require.Zero(t, Main(args, Streams{In: strings.NewReader(""), Out: &out, Err: &err}))
		require.Empty(t, err.String(), path)
		require.Contains(t, out.String(), cmd.Long)
		require.Contains(t, out.String(), cmd.Example)
	}
}
