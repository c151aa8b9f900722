package e2e

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// login is a user whose credentials a plugin gives: a script that notes each run.
type login struct {
	t   *testing.T
	dir string
}

// newLogin makes one in a directory, where the credentials are the admin's.
func newLogin(t *testing.T, dir string) *login {
	t.Helper()
	config := adminConfig(t)
	admin := config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo]
	credential, err := json.Marshal(map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
		"status": map[string]string{
			"clientCertificateData": string(admin.ClientCertificateData), "clientKeyData": string(admin.ClientKeyData),
			"token":               admin.Token,
			"expirationTimestamp": "EXPIRES",
		},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "credential.json"), credential, 0o644))
	return &login{t, dir}
}

// config is a kubeconfig of that user.
func (l *login) config(mode clientcmdapi.ExecInteractiveMode) *clientcmdapi.Config {
	config := adminConfig(l.t)
	user := config.Contexts[config.CurrentContext].AuthInfo
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		Command: filepath.Join(l.dir, "plugin"), APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: mode,
	}}
	return config
}

// plugin changes what the plugin does. In it, give says credentials that last for so
// many seconds.
func (l *login) plugin(script string) {
	l.t.Helper()
	text := "#!/bin/sh\ncd " + l.dir + "\necho run >>runs\n" +
		`give() { sed "s/EXPIRES/$(date -u -d "+$1 seconds" +%FT%TZ)/" credential.json; date >given; }` + "\n" + script +
		"\n"
	next := filepath.Join(l.dir, "next")
	require.NoError(l.t, os.WriteFile(next, []byte(text), 0o755))
	require.NoError(l.t, os.Rename(next, filepath.Join(l.dir, "plugin")))
}

func (l *login) runs() int {
	text, _ := os.ReadFile(filepath.Join(l.dir, "runs"))
	return strings.Count(string(text), "run\n")
}

// lasting is how many seconds credentials last that are to expire in a test.
const lasting = "3"

// awaitExpiry waits until what was given for so long has expired.
func (l *login) awaitExpiry() {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		given, err := os.Stat(filepath.Join(l.dir, "given"))
		return err == nil && time.Since(given.ModTime()) > 4*time.Second
	}, readyTimeout, 50*time.Millisecond)
}

// TestLoginExpires: nothing but somebody who connects has the plugin run, once for all,
// and names, listeners and the session stay.
func TestLoginExpires(t *testing.T) {
	n := sharedWeb(t)
	l := newLogin(t, t.TempDir())
	l.plugin("give " + lasting)
	const hold = "5s" // enough for a login, too
	d := launchForward(t, writeConfig(t, l.config(clientcmdapi.NeverExecInteractiveMode)), "-n", n.name, "--hold", hold)
	d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
	l.plugin("echo 'session expired' >&2; exit 1")
	l.awaitExpiry()
	before, mark := l.runs(), d.mark()

	var all sync.WaitGroup
	for range 5 {
		conn, err := net.DialTimeout("tcp", d.addr("web", 80), readyTimeout)
		require.NoError(t, err, "listeners stay")
		defer conn.Close()
		all.Go(func() { requireEnded(t, conn) })
	}
	all.Wait()
	require.Equal(t, before+1, l.runs())
	var warnings []event
	for _, e := range d.since(mark) {
		if e.Type == "warning" {
			warnings = append(warnings, e)
		}
	}
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0].Message, "log in again")

	l.plugin("give 3600")
	require.Contains(t, get(t, "curl", "http://web/who"), "web-")
	require.Equal(t, before+2, l.runs())
	d.await("the end of it", readyTimeout, func(e event) bool { return e.Message == "the login works again" })
}

func TestOneSignalEndsItWhateverAPluginDoes(t *testing.T) {
	n := sharedWeb(t)
	for name, script := range map[string]string{
		"it waits":              "sleep 600",
		"it heeds no signal":    "trap '' INT TERM; sleep 600 & wait; wait",
		"its child does":        "sh -c 'sleep 600; true'; true",
		"it has ended its time": "give " + lasting,
	} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(name+", "+signal.String(), func(t *testing.T) {
				l := newLogin(t, t.TempDir())
				l.plugin(script)
				d := launchForward(t, writeConfig(t, l.config(clientcmdapi.NeverExecInteractiveMode)), "-n", n.name)
				if strings.HasPrefix(script, "give") { // it has to be run while the session stands
					d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
					l.plugin("sleep 600")
					l.awaitExpiry()
					conn, err := net.DialTimeout("tcp", d.addr("web", 80), readyTimeout)
					require.NoError(t, err)
					defer conn.Close()
				}
				runs := 1
				if strings.HasPrefix(script, "give") {
					runs = 2
				}
				require.Eventually(t, func() bool { return l.runs() == runs }, readyTimeout, 10*time.Millisecond)
				require.NoError(t, d.cmd.Process.Signal(signal))
				select {
				case <-d.exited:
				case <-time.After(readyTimeout):
					require.FailNow(t, "devtun did not end")
				}
				require.NoError(t, d.err, "exit code")
				require.Equal(t, runs, l.runs())
			})
		}
	}
}

var webAddress = regexp.MustCompile(`● web +\S+(?: \+\d+)? +(127\.\S+)`)

// TestPluginsAndTheTable: a plugin that needs the terminal gets it from the table; what
// others say stands in the table's lines, and a prompt of theirs nowhere.
func TestPluginsAndTheTable(t *testing.T) {
	n := sharedWeb(t)
	u := newUser(t, noRule)
	l := newLogin(t, u.home)
	start := func(t *testing.T, mode clientcmdapi.ExecInteractiveMode) *screen {
		t.Helper()
		text, err := clientcmd.Write(*l.config(mode))
		require.NoError(t, err)
		u.write(".kube/config", string(text), 0o600)
		u.write("hosts", "127.0.0.1 localhost\n", 0o644)
		u.write("runs", "", 0o644)
		u.write("given", "", 0o644)
		s := newScreen(t, u)
		s.enter(devtunPath() + " forward -n " + n.name + " --hosts-file hosts --port web:18080:80 web")
		return s
	}
	// ask sends a request that needs credentials, and returns where its answer comes.
	ask := func(t *testing.T, s *screen) <-chan string {
		t.Helper()
		l.awaitExpiry()
		text := s.shows(`● web +\S+(?: \+\d+)? +127\.\S+`)
		address := webAddress.FindStringSubmatch(text)[1]
		answer := make(chan string, 1)
		go func() {
			out, _ := run(t.Context(), readyTimeout, "curl", "-s", "http://"+address+":18080/who")
			answer <- out
		}()
		return answer
	}
	t.Run("one that needs the terminal", func(t *testing.T) {
		l.plugin(`printf 'PIN: ' >&2; read -r pin; echo "pin $pin" >&2; give ` + lasting)
		s := start(t, clientcmdapi.AlwaysExecInteractiveMode)
		s.shows(`^PIN:`)
		s.enter("1234")
		answer := ask(t, s)
		text := s.hides(`SERVICE▲`, `^PIN:`)
		require.NotContains(t, text, "● web", "the table has stepped aside")
		s.enter("5678")
		require.Contains(t, <-answer, "web-")
		s.shows(`^.● web `)
		s.key("q")
		s.shows(shellPrompt)
	})
	t.Run("one that heeds no Ctrl-C", func(t *testing.T) {
		l.plugin(`trap '' INT TERM; stty -echo; echo PIN: >&2; while :; do read -r pin; done`)
		s := start(t, clientcmdapi.AlwaysExecInteractiveMode)
		s.shows(`^PIN:`)
		s.key("C-c")
		s.shows(shellPrompt)
		s.enter("stty -a | grep -owE 'echo|icanon'")
		s.shows(`^icanon\necho$`)
		require.Equal(t, 1, l.runs())
	})
	t.Run("one that does not end", func(t *testing.T) {
		l.plugin("give " + lasting)
		s := start(t, clientcmdapi.IfAvailableExecInteractiveMode)
		s.shows(`● web +\S+(?: \+\d+)? +127\.\S+`)
		l.plugin("sleep 600")
		ask(t, s)
		require.Eventually(t, func() bool { return l.runs() == 2 }, readyTimeout, 10*time.Millisecond)
		s.key("q")
		s.shows(shellPrompt)
	})
	t.Run("one that can do without", func(t *testing.T) {
		l.plugin(`give ` + lasting)
		s := start(t, clientcmdapi.IfAvailableExecInteractiveMode)
		s.shows(`● web +\S+(?: \+\d+)? +127\.\S+`)
		l.plugin(`echo "session expired" >&2; printf 'PIN: ' >/dev/tty; exit 1`)
		ask(t, s)
		text := s.shows(`note: plugin says: session expired`)
		require.NotContains(t, text, "PIN:")
		text = s.shows(`warning: the login does not work any more`)
		require.NotContains(t, text, "PIN:")
		require.Contains(t, text, "● web")
		s.key("q")
		s.shows(shellPrompt)
	})
}

// TestAnInterceptIsUndoneAfterItsLoginHasExpired: a plugin that asks nobody is run once
// more, when devtun ends.
func TestAnInterceptIsUndoneAfterItsLoginHasExpired(t *testing.T) {
	n := newNamespace(t).chain()
	before := n.trace()
	l := newLogin(t, t.TempDir())
	l.plugin("give " + lasting)
	d := n.intercept("--kubeconfig", writeConfig(t, l.config(clientcmdapi.NeverExecInteractiveMode)), "--no-forward",
		"--port", newLocalProcess(t).port())
	require.NotEqual(t, before, n.trace())
	l.plugin("exit 1")
	l.awaitExpiry()
	l.plugin("give 3600")
	d.stop()
	n.asTraced(before)
}
