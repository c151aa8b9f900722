package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// hidden names the commands that no help lists: nobody starts them by hand.
var hidden = []string{"devtun helper"}

// commands lists every command of devtun by its path, hidden ones and help too.
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
	walk(Reference())
	for _, path := range []string{"devtun forward", "devtun image push", "devtun completion", "devtun help"} {
		require.Contains(t, all, path)
	}
	return all
}

// kubectls are the flags that are kubectl's, with its words.
func kubectls() *pflag.FlagSet {
	flags := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	genericclioptions.NewConfigFlags(true).AddFlags(flags)
	return flags
}

func TestEveryCommandIsHelpful(t *testing.T) {
	for path, cmd := range commands(t) {
		require.Regexp(t, `^[A-Z][^\n]*[^.\n]$`, cmd.Short, path)
		require.LessOrEqual(t, len(cmd.Short), 70, "%s: it stands in a list", path)
		require.Greater(t, len(cmd.Long), len(cmd.Short), path)
		require.Regexp(t, `(?s)(\.|\n  [^\n]+)$`, cmd.Long, "%s: sentences, or a table in the end", path)
		require.Contains(t, cmd.Example, path, "an example runs the command")
		for line := range strings.Lines(cmd.Example) {
			require.LessOrEqual(t, len(line), 100, line)
			require.Regexp(t, `^(  \S.*)?\n?$`, line, path)
		}
		for line := range strings.Lines(cmd.Long) {
			require.LessOrEqual(t, len(line), 90, line)
		}
		require.NotNil(t, cmd.RunE, "%s: errors are returned, not printed", path)
		require.Nil(t, cmd.Run, path)
		if cmd.Hidden {
			require.Contains(t, hidden, path)
		}
	}
}

func TestEveryFlagIsDescribed(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	// One style: no sentence, but what it does or is, as a part of one.
	described := regexp.MustCompile(`^['a-z].*[^.\s]$`)
	theirs := kubectls()
	for path, cmd := range commands(t) {
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			require.Regexp(t, kebab, flag.Name, path)
			require.NotEmpty(t, flag.Usage, "%s --%s", path, flag.Name)
			more := flag.Name == "namespace" || path == "devtun run" && flag.Name == "as" // than in kubectl
			if own := theirs.Lookup(flag.Name); own != nil && !more {
				require.Equal(t, own.Usage, flag.Usage, "kubectl's words for what is kubectl's")
				return
			}
			require.Regexp(t, described, flag.Usage, "%s --%s", path, flag.Name)
		})
	}
}

// One flag means one thing, wherever it is.
func TestFlagsOfOneNameAreOfOneKind(t *testing.T) {
	kind := make(map[string]string)
	for path, cmd := range commands(t) {
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			is := flag.Value.Type() + " -" + flag.Shorthand
			if flag.Name == "namespace" || flag.Name == "port" || flag.Name == "help" {
				is = flag.Shorthand
			}
			if before, known := kind[flag.Name]; known {
				require.Equal(t, before, is, "%s --%s", path, flag.Name)
			}
			kind[flag.Name] = is
		})
	}
}

// kubectl's own flags must stay as they are there.
func TestKubectlsFlags(t *testing.T) {
	flags := commands(t)["devtun forward"].Flags()
	for name, short := range map[string]string{
		"kubeconfig": "", "context": "", "cluster": "", "user": "", "as": "", "as-group": "", "as-uid": "",
		"token": "", "server": "s",
		"tls-server-name": "", "insecure-skip-tls-verify": "", "certificate-authority": "", "client-certificate": "",
		"client-key":      "",
		"request-timeout": "", "namespace": "n", "all-namespaces": "A", "selector": "l", "output": "o",
	} {
		flag := flags.Lookup(name)
		require.NotNil(t, flag, name)
		require.Equal(t, short, flag.Shorthand, name)
	}
}

// usageError is how a wrong command line is answered, at the latest when it has said
// that it starts: two lines, the second with
// something to do.
var usageError = regexp.MustCompile(
	`^(?:devtun: starting [a-z]+\n)?devtun: error: [^A-Z\n][^\n]*[^.\n]\nhint: [^A-Z\n][^\n]*[^.\n]\n$`)

// refused runs devtun with a wrong command line and returns what it says.
func refused(t *testing.T, args ...string) string {
	t.Helper()
	nowhere := strings.NewReplacer("CONTEXT", "it", "SERVER", "https://127.0.0.1:1", "AUTHORITY", "").Replace(kubeconfig)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(file, []byte(nowhere), 0o600))
	t.Setenv("KUBECONFIG", file)
	t.Setenv("HOME", t.TempDir())
	var out, err bytes.Buffer
	code := Main(args, output.Streams{In: strings.NewReader(""), Out: &out, Err: &err})
	require.EqualValues(t, problem.ExitUsage, code, "%q: %s", args, &err)
	require.Empty(t, out.String(), "%q", args)
	require.Regexp(t, usageError, err.String(), "%q", args)
	return err.String()
}

func TestEveryCommandRefusesFlagsItDoesNotKnow(t *testing.T) {
	for path, cmd := range commands(t) {
		words := strings.Fields(path)[1:]
		said := refused(t, append(words, "--no-such-flag")...)
		require.Equal(t, "devtun: error: unknown flag: --no-such-flag\nhint: run '"+path+" --help'\n", said)
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			if flag.Value.Type() == "duration" || flag.Value.Type() == "bool" {
				refused(t, append(words, "--"+flag.Name+"=often")...)
			}
		})
	}
}

func TestEveryCommandRefusesArgumentsThatMakeNoSense(t *testing.T) {
	for path := range commands(t) {
		refused(t, append(strings.Fields(path)[1:], "no such", "argu/ment?")...)
	}
}

func TestHelpGoesToStdout(t *testing.T) {
	for path, cmd := range commands(t) {
		words := strings.Fields(path)[1:]
		for _, args := range [][]string{append(words, "--help"), append([]string{"help"}, words...)} {
			var out, err bytes.Buffer
			require.Zero(t, Main(args, output.Streams{In: strings.NewReader(""), Out: &out, Err: &err}), args)
			require.Empty(t, err.String(), path)
			require.Contains(t, oneLine(out.String()), oneLine(cmd.Long))
			require.Contains(t, out.String(), cmd.Example)
		}
	}
}

func TestCompletionScripts(t *testing.T) {
	for shell, has := range map[string]string{
		"bash": "__start_devtun", "zsh": "#compdef devtun", "fish": "complete -c devtun",
		"powershell": "Register-ArgumentCompleter -CommandName 'devtun'",
	} {
		var out, err bytes.Buffer
		require.Zero(t, Main([]string{"completion", shell}, output.Streams{Out: &out, Err: &err}), err.String())
		require.Contains(t, out.String(), has)
		require.Empty(t, err.String())
	}
}
