package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
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

func TestDiagnosePush(t *testing.T) {
	to, err := name.NewTag("registry.example/team/agent:v1")
	require.NoError(t, err)
	answer := func(status int) error { return &transport.Error{StatusCode: status} }
	request := func(err error) error { return &url.Error{Op: "Get", URL: "https://registry.example/v2/", Err: err} }
	for _, c := range []struct {
		about, hint string
		err         error
	}{
		{"no login", "log in as somebody who may push to team/agent: docker login registry.example", answer(http.StatusUnauthorized)},
		{"no right", "log in as somebody who may push to team/agent: docker login registry.example", answer(http.StatusForbidden)},
		{"no repository", "is registry.example a registry? Some want the repository team/agent to be made first", answer(http.StatusNotFound)},
		{"too often", "wait, then push again", answer(http.StatusTooManyRequests)},
		{"a failing registry", "the registry's own log", answer(http.StatusInternalServerError)},
		{"a broken login", "log in anew: docker login registry.example", &image.LoginError{Registry: "registry.example", Err: errors.New("x")}},
		{"no TLS", "add --insecure", request(image.ErrPlain)},
		{"plain HTTP", "the registry has no TLS: add --insecure", request(errors.New("http: server gave HTTP response to HTTPS client"))},
		{"a stranger's certificate", "have this machine trust the registry's certificate", request(errors.New("tls: failed to verify certificate: x509: unknown authority"))},
		{"no such host", "is the registry's name right, registry.example,", request(&net.DNSError{Err: "no such host", Name: "registry.example", IsNotFound: true})},
		{"nobody there", "is registry.example a registry, and the way there open (VPN)?", request(&net.OpError{Op: "dial", Err: errors.New("refused")})},
		{"interrupted", "nothing keeps you from", context.Canceled},
	} {
		var told *problem.Problem
		require.ErrorAs(t, diagnosePush(fmt.Errorf("push image: %w", c.err), to), &told, c.about)
		require.Equal(t, problem.ExitFailure, told.Code, c.about)
		require.True(t, strings.HasPrefix(told.Hint, c.hint), "%s: hint is %q", c.about, told.Hint)
		require.ErrorIs(t, told, c.err, c.about)
	}
}

func TestSaveWhereThereIsNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nowhere", "agent.tar")
	var out, err bytes.Buffer
	code := Main([]string{"image", "save", file, "--platform", "linux/amd64"}, output.Streams{Out: &out, Err: &err})
	require.EqualValues(t, problem.ExitFailure, code, "not the code of a hosts file")
	require.Contains(t, err.String(), "hint: give a file that you may write")
	require.Empty(t, out.String())
}
