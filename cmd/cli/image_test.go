package cli

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/image"
)

// The scripts of testdata/image find the go command's caches, and in $TOOLS devtun
// without the go command. They have this command beside testscript's and refuse:
//
//	registry [-login USER:PASSWORD] [-tls] [-answer STATUS]
//	    starts a registry and puts its host into $REGISTRY
func TestImageScripts(t *testing.T) { imageScripts(t, "testdata/image") }

func imageScripts(t *testing.T, dir string) {
	t.Helper()
	found, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOENV").Output()
	require.NoError(t, err)
	caches := strings.Split(strings.TrimSpace(string(found)), "\n")
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			for i, variable := range []string{"GOCACHE", "GOMODCACHE", "GOENV"} {
				env.Setenv(variable, strings.TrimSpace(caches[i]))
			}
			tools, _, _ := strings.Cut(env.Getenv("PATH"), string(os.PathListSeparator))
			env.Setenv("TOOLS", tools)
			env.Setenv("DEFAULT", image.Default())
			return setUp(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"registry": scriptRegistry, "refuse": scriptRefuse},
	})
}

func scriptRegistry(ts *testscript.TestScript, _ bool, args []string) {
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	start := (*httptest.Server).Start
	for len(args) > 0 {
		switch option := args[0]; option {
		case "-login":
			handler = guarded(handler, args[1])
			args = args[1:]
		case "-answer":
			var status int
			_, err := fmt.Sscan(args[1], &status)
			ts.Check(err)
			handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			args = args[1:]
		case "-tls":
			start = (*httptest.Server).StartTLS
		default:
			ts.Fatalf("unknown option %s", option)
		}
		args = args[1:]
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	start(server)
	ts.Defer(server.Close)
	where, err := url.Parse(server.URL)
	ts.Check(err)
	ts.Setenv("REGISTRY", where.Host)
}

// guarded wants a login, USER:PASSWORD.
func guarded(handler http.Handler, login string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user+":"+password != login {
			w.Header().Set("WWW-Authenticate", `Basic realm="it"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

func TestAnImageIsNothingForATerminal(t *testing.T) {
	var out, err bytes.Buffer
	code := Main([]string{"image", "save", "-"}, output.Streams{Out: &out, Err: &err, Terminal: true})
	require.EqualValues(t, problem.ExitUsage, code)
	require.Empty(t, out.String())
	require.Regexp(t, "^devtun: error: an image is nothing for a terminal\nhint: .+\n$", err.String())
}

// full is a pipe whose reader has gone.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAnImageThatNobodyReads(t *testing.T) {
	var err bytes.Buffer
	code := Main([]string{"image", "save", "-", "--platform", "linux/amd64"}, output.Streams{Out: full{}, Err: &err})
	require.EqualValues(t, problem.ExitFailure, code)
	require.Contains(t, err.String(), "devtun: error: write archive: ")
}

func TestSaveWhereThereIsNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nowhere", "agent.tar")
	var out, err bytes.Buffer
	code := Main([]string{"image", "save", file, "--platform", "linux/amd64"}, output.Streams{Out: &out, Err: &err})
	require.EqualValues(t, problem.ExitFailure, code, "not the code of a hosts file")
	require.Contains(t, err.String(), "hint: give a file that you may write")
	require.Empty(t, out.String())
}
