package credential

import (
	"errors"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/transport"
	"k8s.io/client-go/util/connrotation"
	"k8s.io/streaming/pkg/httpstream"
)

// Requests has the requests of a transport carry the credentials.
func (l *Login) Requests(config *transport.Config) { l.authenticate(config, false, true) }

// Undo does so for requests that put things back: these may have a plugin run once more
// after the end has begun, for the cluster is others' too.
func (l *Login) Undo(config *transport.Config) { l.authenticate(config, true, true) }

// Streams does so for requests that become connections. These live on when a new
// certificate takes the place of theirs.
func (l *Login) Streams(config *transport.Config) { l.authenticate(config, false, false) }

// given reports that a user has given credentials, which come before a plugin's.
func given(config *transport.Config) bool {
	return config.HasTokenAuth() || config.HasBasicAuth() || config.HasCertAuth()
}

// authenticate does it.
func (l *Login) authenticate(config *transport.Config, undo, rotate bool) {
	if l == nil || given(config) {
		return
	}
	config.TLS.GetCertHolder = l.holder
	switch {
	case !rotate:
	case config.DialHolder == nil:
		config.DialHolder = l.dialer
	default:
		config.DialHolder = &transport.DialHolder{Dial: connrotation.NewDialerWithTracker(config.DialHolder.Dial,
			l.conns).DialContext}
	}
	config.Wrap(func(base http.RoundTripper) http.RoundTripper { return &roundTripper{l, base, undo} })
}

// roundTripper sends requests with a login's credentials.
type roundTripper struct {
	login *Login
	base  http.RoundTripper
	undo  bool
}

// WrappedRoundTripper implements utilnet.RoundTripperWrapper.
func (r *roundTripper) WrappedRoundTripper() http.RoundTripper { return r.base }

// RoundTrip implements http.RoundTripper. A request that the API server does not take
// for its credentials is sent once more if there are others.
func (r *roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Header.Get("Authorization") != "" {
		return r.base.RoundTrip(request)
	}
	again := repeatable(request)
	response, refused, err := r.send(request)
	if err != nil || !refused || again == nil {
		return response, err
	}
	if _, err := r.login.get(request.Context(), r.undo); err != nil {
		return response, nil
	}
	response.Body.Close()
	response, _, err = r.send(again)
	return response, err
}

// send sends a request. It reports whether it was refused and others may be had.
func (r *roundTripper) send(request *http.Request) (response *http.Response, refused bool, err error) {
	creds, err := r.login.get(request.Context(), r.undo)
	if err != nil {
		if request.Body != nil {
			request.Body.Close()
		}
		return nil, false, err
	}
	if creds.token != "" {
		request = utilnet.CloneRequest(request)
		request.Header.Set("Authorization", "Bearer "+creds.token)
	}
	response, err = r.base.RoundTrip(request)
	switch {
	case refusedUpgrade(err):
		r.login.reject(creds) // who wants the connection tries again
		return nil, false, err
	case err != nil:
		return nil, false, err
	case response.StatusCode == http.StatusUnauthorized:
		return response, r.login.reject(creds), nil
	}
	r.login.accept(creds)
	return response, false, nil
}

// refusedUpgrade reports that an error is what an upgrade to WebSocket was refused with,
// for its credentials.
func refusedUpgrade(err error) bool {
	var refused *httpstream.UpgradeFailureError // which does not unwrap
	return errors.As(err, &refused) && apierrors.IsUnauthorized(refused.Cause)
}

// repeatable is the request once more; nil if its body can be read but once.
func repeatable(request *http.Request) *http.Request {
	var body io.ReadCloser
	if request.Body != nil && request.Body != http.NoBody {
		if request.GetBody == nil {
			return nil
		}
		var err error
		if body, err = request.GetBody(); err != nil {
			return nil
		}
	}
	again := utilnet.CloneRequest(request)
	again.Body = body
	return again
}
