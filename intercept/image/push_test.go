package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/require"
)

const (
	login    = "me"
	password = "secret"
)

// newRegistry is a registry that takes everything from everybody.
func newRegistry() http.Handler {
	return registry.New(registry.Logger(log.New(io.Discard, "", 0)))
}

// guarded wants a login.
func guarded(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, _ := r.BasicAuth(); user != login || pass != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="it"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// serve starts a registry and returns its host.
func serve(t *testing.T, start func(*httptest.Server), handler http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	start(server)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(strings.TrimPrefix(server.URL, "http://"), "https://")
}

// loggedIn gives this test a home with a configuration of docker's.
func loggedIn(t *testing.T, config string) {
	t.Helper()
	home := t.TempDir()
	docker := filepath.Join(home, ".docker")
	for _, variable := range []string{"HOME", "USERPROFILE"} {
		t.Setenv(variable, home)
	}
	t.Setenv("XDG_RUNTIME_DIR", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("REGISTRY_AUTH_FILE", "")
	t.Setenv("DOCKER_CONFIG", docker)
	if config == "" {
		return
	}
	require.NoError(t, os.Mkdir(docker, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(docker, "config.json"), []byte(config), 0o600))
}

// auths is a configuration with one login.
func auths(host, user, password string) string {
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, host,
		base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

func push(t *testing.T, reference string, opts PushOptions) (name.Digest, error) {
	t.Helper()
	to, err := ParseTag(reference, opts)
	require.NoError(t, err)
	return Push(t.Context(), to, small(t, "one"), opts)
}

func TestPush(t *testing.T) {
	loggedIn(t, "")
	host := serve(t, (*httptest.Server).Start, newRegistry())
	pushed, err := push(t, host+"/team/thing:v1", PushOptions{})
	require.NoError(t, err)
	require.Equal(t, host+"/team/thing@"+digest(t, small(t, "one")), pushed.String())

	for _, reference := range []string{pushed.String(), host + "/team/thing:v1"} {
		parsed, err := name.ParseReference(reference)
		require.NoError(t, err)
		index, err := remote.Index(parsed)
		require.NoError(t, err)
		require.NoError(t, validate.Index(index))
		require.Len(t, images(t, index), 2)
	}
	again, err := push(t, host+"/team/thing:v1", PushOptions{})
	require.NoError(t, err)
	require.Equal(t, pushed, again)
}

func TestPushWithTheUsersLogin(t *testing.T) {
	host := serve(t, (*httptest.Server).Start, guarded(newRegistry()))
	for about, config := range map[string]string{
		"no login": "", "another registry's": auths("registry.example", login, password),
		"a wrong one": auths(host, login, "guess"),
	} {
		t.Run(about, func(t *testing.T) {
			loggedIn(t, config)
			_, err := push(t, host+"/team/thing:v1", PushOptions{})
			var answer *transport.Error
			require.ErrorAs(t, err, &answer)
			require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
		})
	}
	t.Run("right", func(t *testing.T) {
		loggedIn(t, auths(host, login, password))
		_, err := push(t, host+"/team/thing:v1", PushOptions{})
		require.NoError(t, err)
	})
	t.Run("podman's", func(t *testing.T) {
		loggedIn(t, "")
		containers := filepath.Join(os.Getenv("HOME"), "containers")
		require.NoError(t, os.Mkdir(containers, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(containers, "auth.json"), []byte(auths(host, login, password)), 0o600))
		_, err := push(t, host+"/team/thing:v1", PushOptions{})
		require.NoError(t, err)
	})
}

func TestPushWithALoginThatCannotBeRead(t *testing.T) {
	host := serve(t, (*httptest.Server).Start, newRegistry())
	for about, config := range map[string]string{"no JSON": "{", "no helper": `{"credsStore": "devtun-is-not-there"}`} {
		t.Run(about, func(t *testing.T) {
			loggedIn(t, config)
			_, err := push(t, host+"/team/thing:v1", PushOptions{})
			var unread *LoginError
			require.ErrorAs(t, err, &unread)
			require.Equal(t, host, unread.Registry)
		})
	}
}

func TestPushTrustsOnlyWhomTheSystemTrusts(t *testing.T) {
	loggedIn(t, "")
	host := serve(t, (*httptest.Server).StartTLS, newRegistry())
	_, err := push(t, host+"/team/thing:v1", PushOptions{})
	require.ErrorContains(t, err, "x509:")
	_, err = push(t, host+"/team/thing:v1", PushOptions{Insecure: true})
	require.NoError(t, err)
}

// none carries nothing, and says that it was asked to.
type none struct{}

var errAsked = errors.New("asked")

func (none) RoundTrip(*http.Request) (*http.Response, error) { return nil, errAsked }

func TestNothingGoesInTheOpen(t *testing.T) {
	for url, want := range map[string]error{
		"https://registry.example/v2/":    errAsked,
		"https://10.1.2.3/v2/":            errAsked,
		"http://127.0.0.1:5000/v2/":       errAsked,
		"http://[::1]:5000/v2/":           errAsked,
		"http://localhost:5000/v2/":       errAsked,
		"http://it.localhost:5000/v2/":    errAsked,
		"http://10.1.2.3:5000/v2/":        ErrPlain,
		"http://registry.example/v2/":     ErrPlain,
		"http://localhost.example/token/": ErrPlain,
	} {
		request, err := http.NewRequest(http.MethodGet, url, nil)
		require.NoError(t, err)
		_, err = private{none{}}.RoundTrip(request)
		require.ErrorIs(t, err, want, url)
	}
}

func TestPushEndsWithItsContext(t *testing.T) {
	loggedIn(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	host := serve(t, (*httptest.Server).Start, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	_, err := Push(ctx, tag(t, host+"/team/thing:v1"), small(t, "one"), PushOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestParseTag(t *testing.T) {
	to, err := ParseTag("registry.example/team/thing", PushOptions{})
	require.NoError(t, err)
	require.Equal(t, "registry.example/team/thing:"+DefaultTag(), to.Name())
	require.Equal(t, "https", to.Scheme())
	to, err = ParseTag("registry.example/team/thing:v1", PushOptions{Insecure: true})
	require.NoError(t, err)
	require.Equal(t, "v1", to.TagStr())
	require.Equal(t, "http", to.Scheme())
	for _, reference := range []string{"", "registry.example/Team:v1", "registry.example/team/thing@sha256:00", "a b"} {
		_, err := ParseTag(reference, PushOptions{})
		require.ErrorContains(t, err, "parse image reference: ", reference)
	}
}
