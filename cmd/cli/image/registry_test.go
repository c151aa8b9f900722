package image

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/image"
)

func TestDiagnosePush(t *testing.T) {
	to, err := name.NewTag("registry.example/team/agent:v1")
	require.NoError(t, err)
	answer := func(status int) error { return &transport.Error{StatusCode: status} }
	request := func(err error) error { return &url.Error{Op: "Get", URL: "https://registry.example/v2/", Err: err} }
	for _, c := range []struct {
		about, hint string
		err         error
	}{
		{"no login", "log in as somebody who may push to team/agent: docker login registry.example",
			answer(http.StatusUnauthorized)},
		{"no right", "log in as somebody who may push to team/agent: docker login registry.example",
			answer(http.StatusForbidden)},
		{"no repository", "is registry.example a registry? Some want the repository team/agent to be made first",
			answer(http.StatusNotFound)},
		{"too often", "wait, then push again", answer(http.StatusTooManyRequests)},
		{"a failing registry", "the registry's own log", answer(http.StatusInternalServerError)},
		{"a broken login", "log in anew: docker login registry.example",
			&image.LoginError{Registry: "registry.example", Err: errors.New("x")}},
		{"no TLS", "add --insecure", request(image.ErrPlain)},
		{"plain HTTP", "the registry has no TLS: add --insecure",
			request(errors.New("http: server gave HTTP response to HTTPS client"))},
		{"a stranger's certificate", "have this machine trust the registry's certificate",
			request(errors.New("tls: failed to verify certificate: x509: unknown authority"))},
		{"no such host", "is the registry's name right, registry.example,",
			request(&net.DNSError{Err: "no such host", Name: "registry.example", IsNotFound: true})},
		{"nobody there", "is registry.example a registry, and the way there open (VPN)?",
			request(&net.OpError{Op: "dial", Err: errors.New("refused")})},
		{"interrupted", "push it again", context.Canceled},
	} {
		var told *problem.Problem
		require.ErrorAs(t, diagnosePush(fmt.Errorf("push image: %w", c.err), to), &told, c.about)
		require.Equal(t, problem.ExitFailure, told.Code, c.about)
		require.True(t, strings.HasPrefix(told.Hint, c.hint), "%s: hint is %q", c.about, told.Hint)
		require.ErrorIs(t, told, c.err, c.about)
	}
}
