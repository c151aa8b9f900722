//go:build soak

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSoakTheFirstScreen types what the README's first block shows somebody type, and finds
// on the screen what it shows there: a request of the cluster that stops in a debugger.
func TestSoakTheFirstScreen(t *testing.T) {
	n := newNamespace(t).examples()
	before, trace := hostsFile(t), n.trace()
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, block, found := strings.Cut(string(text), "```console debugger\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "```")

	home, err := os.UserHomeDir()
	require.NoError(t, err)
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	bin := t.TempDir()
	for name, program := range map[string]string{"devtun": "devtun", "dlv": "delve"} {
		require.NoError(t, os.Symlink(bed.Program(program), filepath.Join(bin, name)))
	}
	s := newScreen(t, &user{t: t, name: "root", home: home})
	s.enter("cd " + root + "; clear; export KUBECONFIG=" + kubeconfig() + " PATH=" + bin + ":" + os.Getenv("PATH"))
	asked := make(chan string, 1)
	for line := range strings.Lines(block) {
		line = strings.TrimSpace(line)
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			s.enter(strings.ReplaceAll(command, "-n demo", "-n "+n.name))
			s.shows(`^\(dlv\)`)
			continue
		}
		if typed, ok := strings.CutPrefix(line, "(dlv) "); ok {
			s.enter(typed)
			continue
		}
		s.shows(regexp.QuoteMeta(line))
		if strings.HasPrefix(line, "service-middle:8080 ->") {
			go func() {
				said, _ := run(t.Context(), time.Minute, kubectlPath(t), "--kubeconfig", kubeconfig(), "get", "--raw",
					"/api/v1/namespaces/"+n.name+"/services/service-front:80/proxy/")
				asked <- said
			}()
		}
	}
	s.enter("continue")
	host, err := os.Hostname()
	require.NoError(t, err)
	require.Contains(t, <-asked, "service-middle on "+host+"\n", "it was answered here")
	s.tmux("send-keys", "C-c") // Delve takes commands only while the program stands
	s.shows(`^\(dlv\)\s*\z`)
	s.enter("exit")
	s.shows(`^restored: Deployment "service-middle"[^$]*\n\$\s*\z`) // and the shell asks for more
	require.Equal(t, before, hostsFile(t))
	n.noAgents()
	n.asTraced(trace)
}
