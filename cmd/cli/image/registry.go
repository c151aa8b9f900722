package image

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/image"
)

// diagnosePush turns an error of a push into a Problem. The codes for clusters are
// not a registry's.
func diagnosePush(err error, to name.Tag) error {
	registry := to.RegistryStr()
	hint := fmt.Sprintf("is %s a registry, and the way there open (VPN)?", registry)
	var login *image.LoginError
	var answer *transport.Error
	var lookup *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		hint = "push it again"
	case errors.As(err, &login):
		hint = fmt.Sprintf("log in anew: docker login %s", registry)
	// A registry on this machine is asked over plain HTTP as well; its certificate
	// is the better reason then.
	case strings.Contains(err.Error(), "x509:"):
		hint = "have this machine trust the registry's certificate, or add --insecure"
	case errors.As(err, &answer):
		hint = answerHint(answer.StatusCode, to)
	case errors.Is(err, image.ErrPlain):
		hint = "add --insecure, if the registry has no TLS and its network may see the login"
	case errors.As(err, &lookup):
		hint = fmt.Sprintf("is the registry's name right, %s, and its network's DNS in use (VPN)?", registry)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		hint = "the registry has no TLS: add --insecure, if its network may see the login"
	}
	return &problem.Problem{Err: err, Code: problem.ExitFailure, Hint: hint}
}

// answerHint is for a registry that has answered.
func answerHint(status int, to name.Tag) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Sprintf("log in as somebody who may push to %s: docker login %s", to.RepositoryStr(), to.RegistryStr())
	case http.StatusNotFound:
		return fmt.Sprintf("is %s a registry? Some want the repository %s to be made first", to.RegistryStr(),
			to.RepositoryStr())
	case http.StatusTooManyRequests:
		return "wait, then push again"
	}
	return "the registry's own log, or whoever runs it, can tell more"
}
