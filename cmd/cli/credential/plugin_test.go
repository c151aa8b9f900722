//go:build unix

package credential

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd/api"
)

func TestWhatAPluginIsTold(t *testing.T) {
	for _, version := range []string{"v1", "v1beta1"} {
		t.Run(version, func(t *testing.T) {
			t.Setenv("OURS", "1")
			t.Setenv("KUBECONFIG", "ours")
			w := newWorld(t, `printf '%s\n' "$KUBERNETES_EXEC_INFO" >$DIR/info
echo "$1 $OURS $THEIRS ${KUBECONFIG-unset}" >$DIR/environment
give secret | sed 's|k8s.io/v1"|k8s.io/`+version+`"|'`)
			w.exec.APIVersion = "client.authentication.k8s.io/" + version
			w.exec.Args = []string{"argument"}
			w.exec.Env = []api.ExecEnvVar{{Name: "THEIRS", Value: "2"}}
			w.exec.ProvideClusterInfo = true
			w.exec.Config = &runtime.Unknown{Raw: []byte(`{"apiVersion":"example/v1","kind":"Extra"}`)}
			login, err := w.gate.Login(w.config(), "KUBECONFIG")
			require.NoError(t, err)
			require.NoError(t, login.Await(t.Context()))
			require.Equal(t, "argument 1 2 unset", w.awaitFile("environment"))
			var info struct {
				APIVersion string
				Spec       struct {
					Interactive bool
					Cluster     struct{ Server string }
				}
			}
			require.NoError(t, json.Unmarshal([]byte(w.awaitFile("info")), &info))
			require.Equal(t, w.exec.APIVersion, info.APIVersion)
			require.Equal(t, w.server.URL, info.Spec.Cluster.Server)
			require.False(t, info.Spec.Interactive)
		})
	}
}

func TestWhatIsWrongWithAPlugin(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		change func(*api.ExecConfig)
		want   string
	}{
		"nothing said": {"", nil, "exec: plugin wrote nothing"},
		"nonsense":     {"echo nonsense", nil, "exec: decoding stdout"},
		"no status": {`echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential"}'`, nil,
			"didn't return a status"},
		"no token": {`give ""`, nil, "didn't return a token"},
		"another version": {`give x | sed 's|k8s.io/v1"|k8s.io/v1beta1"|'`, nil,
			"returned version client.authentication.k8s.io/v1beta1"},
		"not there": {"", func(c *api.ExecConfig) { c.Command = "devtun-no-such-plugin" },
			"exec: executable devtun-no-such-plugin not found"},
		"wants a terminal": {"", func(c *api.ExecConfig) { c.InteractiveMode = api.AlwaysExecInteractiveMode },
			"standard input is not a terminal"},
		"says why":          {"echo 'session expired' >&2; exit 255", nil, "failed with exit code 255: session expired"},
		"interrupts itself": {"kill -INT $$", nil, "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.script)
			if c.change != nil {
				c.change(w.exec)
			}
			if name == "says why" {
				w.gate.Silent = true
			}
			require.ErrorContains(t, w.login().Await(t.Context()), c.want)
		})
	}
	w := newWorld(t, "")
	w.exec.APIVersion = "client.authentication.k8s.io/v9"
	_, err := w.gate.Login(w.config())
	require.ErrorContains(t, err, "invalid apiVersion")
	w.exec.APIVersion, w.exec.Command = "client.authentication.k8s.io/v1", "devtun-no-such-plugin"
	w.exec.InstallHint = "install it"
	var failure *Error
	require.ErrorAs(t, w.login().Await(t.Context()), &failure)
	require.Equal(t, "install it", failure.Install)
}

// A plugin may leave a process that keeps what it knows.
func TestWhatAPluginLeavesBehindHoldsNothingUp(t *testing.T) {
	w := newWorld(t, "sleep 600 & echo $! >$DIR/left; give secret")
	require.NoError(t, w.login().Await(t.Context()))
	kill(t, w.awaitFile("left"))
}

// paper can be read while it is written.
type paper struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func TestWhileTheTerminalIsCovered(t *testing.T) {
	w := newWorld(t, `printf 'open \033[1mthis\033[0m\r\nPIN: ' >&2
(: </dev/tty) 2>/dev/null && echo yes >$DIR/tty || echo no >$DIR/tty
give secret`)
	var said paper
	uncover := w.gate.Cover(t.Context(), Cover{Said: &said})
	require.NoError(t, w.login().Await(t.Context()))
	require.Equal(t, "note: plugin says: open  [1mthis [0m\nnote: plugin says: PIN:\n", said.String())
	require.Equal(t, "no", w.awaitFile("tty"))
	uncover()
	require.Nil(t, w.gate.covered)
}

func TestWhoNeedsTheTerminalHasTheCoverStepAside(t *testing.T) {
	w := newWorld(t, "give secret")
	w.exec.InteractiveMode = api.AlwaysExecInteractiveMode
	aside := 0
	w.gate.Cover(t.Context(), Cover{Said: new(paper), Aside: func(ctx context.Context, run func(context.Context)) {
		aside++
		run(ctx)
	}})
	require.ErrorContains(t, w.login().Await(t.Context()), "standard input is not a terminal",
		"there is none here at all")
	require.Equal(t, 1, aside)
}

func TestACoverWantedBackEndsThePlugin(t *testing.T) {
	w := newWorld(t, "echo >$DIR/started; sleep 600")
	lent, end := context.WithCancel(t.Context())
	cover := Cover{Aside: func(_ context.Context, run func(context.Context)) { run(lent) }}
	ended := make(chan error, 1)
	go func() {
		_, err := cover.aside(t.Context(),
			func(ctx context.Context) (*credentials, error) { return w.login().plugin.run(ctx, w.gate.terminal()) })
		ended <- err
	}()
	w.awaitFile("started")
	end()
	require.Error(t, <-ended)
}
