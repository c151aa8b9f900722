package image

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const (
	// pushTimeout bounds a push, a few megabytes, over whatever line.
	pushTimeout = 10 * time.Minute

	// answerTimeout bounds the wait for a registry's answer to what it has whole.
	answerTimeout = time.Minute
)

// ErrPlain is the reason of a push that would have been readable on its way, the
// user's login included.
var ErrPlain = errors.New("plain HTTP is for registries on this machine")

// LoginError is a login of the user's that cannot be read.
type LoginError struct {
	Registry string
	Err      error // of the configuration or of a credential helper
}

func (e *LoginError) Error() string {
	return fmt.Sprintf("read the login for %s: %v", e.Registry, e.Err)
}
func (e *LoginError) Unwrap() error { return e.Err }

// PushOptions are what is out of the ordinary.
type PushOptions struct {
	// Insecure allows plain HTTP and certificates that nobody vouches for.
	Insecure bool
}

// ParseTag reads where to push to. A reference without a tag gets DefaultTag.
func ParseTag(reference string, opts PushOptions) (name.Tag, error) {
	options := []name.Option{name.WithDefaultTag(DefaultTag())}
	if opts.Insecure {
		options = append(options, name.Insecure)
	}
	tag, err := name.NewTag(reference, options...)
	if err != nil {
		return name.Tag{}, fmt.Errorf("parse image reference: %w", err)
	}
	return tag, nil
}

// Push sends an image to its registry with the user's logins (docker's, podman's,
// credential helpers) and returns the reference by digest.
func Push(ctx context.Context, to name.Tag, index v1.ImageIndex, opts PushOptions) (name.Digest, error) {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	digest, err := index.Digest()
	if err != nil {
		return name.Digest{}, fmt.Errorf("push image: %w", err)
	}
	login, err := authn.Resolve(ctx, authn.DefaultKeychain, to.Context())
	if err != nil {
		return name.Digest{}, fmt.Errorf("push image: %w", &LoginError{Registry: to.RegistryStr(), Err: err})
	}
	base := remote.DefaultTransport.(*http.Transport).Clone()
	defer base.CloseIdleConnections()
	base.ResponseHeaderTimeout = answerTimeout
	var transport http.RoundTripper = private{base}
	if opts.Insecure {
		base.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		transport = base
	}
	err = remote.WriteIndex(to, index, remote.WithContext(ctx), remote.WithAuth(login),
		remote.WithTransport(transport), remote.WithUserAgent("devtun"))
	if err != nil {
		return name.Digest{}, fmt.Errorf("push image: %w", err)
	}
	return to.Context().Digest(digest.String()), nil
}

// private sends nothing in the open, but within this machine. The library does so
// to private addresses too.
type private struct{ http.RoundTripper }

func (p private) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != "https" && !loopback(request.URL.Hostname()) {
		return nil, ErrPlain
	}
	return p.RoundTripper.RoundTrip(request)
}

// loopback reports whether host is this machine.
func loopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
