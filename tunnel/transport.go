package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport"
	"k8s.io/client-go/transport/websocket"
	"k8s.io/streaming/pkg/httpstream"
)

// protocol is the name of the port-forward protocol, version 1, in an upgrade.
const protocol = "portforward.k8s.io"

// maxRefusal bounds, in bytes, how much of a refused upgrade's body is read.
const maxRefusal = 16 << 10

// Mode says how an API connection carries the port-forward protocol.
type Mode string

const (
	// Auto tries SPDY and falls back to WebSocket where an upgrade to SPDY is
	// refused, as proxies on layer 7 do.
	Auto Mode = "auto"
	// SPDY carries it directly: the cheaper way.
	SPDY Mode = "spdy"
	// WebSocket carries SPDY inside WebSocket messages (KEP-4006).
	WebSocket Mode = "websocket"
)

// Modes lists what a user may ask for.
func Modes() []Mode { return []Mode{Auto, SPDY, WebSocket} }

// Pod names a pod.
type Pod struct {
	Namespace, Name string
	UID             string // tells pods of one name apart; "" if it is not known
}

func (p Pod) String() string { return p.Namespace + "/" + p.Name }

// Transport opens API connections: an upgraded connection to the port-forward
// endpoint of one pod each.
type Transport struct {
	settings *transport.Config
	http     http.RoundTripper
	base     *url.URL
	mode     Mode
	falls    atomic.Bool // Auto has found that only WebSocket passes
}

// NewTransport prepares a transport for the API server that config leads to. It
// opens no connection. Each of with changes how requests are sent; config says all
// but that.
func NewTransport(config *rest.Config, mode Mode, with ...func(*transport.Config)) (*Transport, error) {
	config = rest.CopyConfig(config)
	config.TLSClientConfig.NextProtos = []string{"http/1.1"} // HTTP/2 has no upgrade
	settings, err := config.TransportConfig()
	if err != nil {
		return nil, fmt.Errorf("prepare transport: %w", err)
	}
	for _, change := range with {
		change(settings)
	}
	withSockets(settings)
	roundTripper, err := transport.New(settings)
	if err != nil {
		return nil, fmt.Errorf("prepare transport: %w", err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("prepare transport: %w", err)
	}
	return &Transport{settings: settings, http: roundTripper, base: base, mode: mode}, nil
}

// Dial opens an API connection to pod, which the caller owns. A refusal by the
// API server is an apierrors.APIStatus.
func (t *Transport) Dial(ctx context.Context, pod Pod) (io.ReadWriteCloser, error) {
	if t.mode == WebSocket || t.falls.Load() {
		return t.dialWebSocket(ctx, pod)
	}
	conn, err := t.dialSPDY(ctx, pod)
	var refused *refusedError
	if t.mode == SPDY || !errors.As(err, &refused) || (&RemoteError{refused.body}).SandboxGone() {
		return conn, err
	}
	conn, fallbackErr := t.dialWebSocket(ctx, pod)
	if fallbackErr != nil {
		return nil, errors.Join(err, fallbackErr)
	}
	t.falls.Store(true)
	return conn, nil
}

// refusedError is an answer to an upgrade that is not the API server's word on
// the pod or the user's rights, but somebody's on the upgrade itself, or the
// kubelet's on the pod.
type refusedError struct{ to, status, body string }

func (e *refusedError) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("upgrade to %s refused: %s: %s", e.to, e.status, e.body), ": ")
}

func (t *Transport) endpoint(pod Pod) string {
	return t.base.JoinPath("api", "v1", "namespaces", pod.Namespace, "pods", pod.Name, "portforward").String()
}

// dialSPDY upgrades an HTTP/1.1 request to the port-forward endpoint.
func (t *Transport) dialSPDY(ctx context.Context, pod Pod) (io.ReadWriteCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.endpoint(pod), nil)
	if err != nil {
		return nil, fmt.Errorf("connect to pod %s: %w", pod, err)
	}
	request.Header.Set("X-Stream-Protocol-Version", protocol)
	return t.upgrade(request, pod, "SPDY/3.1")
}

// upgrade asks for another protocol; net/http hands over the connection as
// the body of the answer, and with it everything that client-go's transport
// does: TLS, proxies, tokens, exec plugins, impersonation.
func (t *Transport) upgrade(request *http.Request, pod Pod, to string) (io.ReadWriteCloser, error) {
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", to)
	var on *socket
	request = request.WithContext(traceSocket(request.Context(), func(s *socket) { on = s }))
	response, err := t.http.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("connect to pod %s: %w", pod, err)
	}
	conn, ok := response.Body.(io.ReadWriteCloser)
	if response.StatusCode != http.StatusSwitchingProtocols || !ok {
		defer response.Body.Close()
		return nil, fmt.Errorf("connect to pod %s: %w", pod, refusal(response, to))
	}
	if on == nil { // whoever dials has wrapped it
		return conn, nil
	}
	return batched{conn, on}, nil
}

// refusal reads why an upgrade was refused: the API server's own word as
// apierrors.APIStatus, anything else as refusedError.
func refusal(response *http.Response, to string) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	if object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, &metav1.Status{}); err == nil {
		status, ok := object.(*metav1.Status)
		if ok && status.Code >= http.StatusUnauthorized && status.Code != http.StatusMethodNotAllowed {
			return &apierrors.StatusError{ErrStatus: *status}
		}
	}
	return &refusedError{to, response.Status, strings.TrimSpace(string(body))}
}

// dialWebSocket negotiates the tunnelled form; client-go's tunnelling
// connection makes bytes of the messages.
func (t *Transport) dialWebSocket(ctx context.Context, pod Pod) (io.ReadWriteCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.endpoint(pod), nil)
	if err != nil {
		return nil, fmt.Errorf("connect to pod %s: %w", pod, err)
	}
	upgrade, roundTripper, err := t.webSocket()
	if err != nil {
		return nil, fmt.Errorf("connect to pod %s: %w", pod, err)
	}
	conn, err := websocket.Negotiate(roundTripper, upgrade, request, "SPDY/3.1+"+protocol)
	if err != nil {
		var refused *httpstream.UpgradeFailureError // which does not unwrap
		if errors.As(err, &refused) {
			err = refused.Cause
		}
		return nil, fmt.Errorf("connect to pod %s: %w", pod, err)
	}
	return portforward.NewTunnelingConnection("devtun", conn), nil
}

// webSocket makes a round tripper for one upgrade, and what has its connection after
// that: what websocket.RoundTripperFor makes of a rest.Config.
func (t *Transport) webSocket() (*websocket.RoundTripper, http.RoundTripper, error) {
	tlsConfig, err := transport.TLSConfigFor(t.settings)
	if err != nil {
		return nil, nil, err
	}
	proxy := t.settings.Proxy
	if proxy == nil {
		proxy = utilnet.NewProxierWithNoProxyCIDR(http.ProxyFromEnvironment)
	}
	upgrade := &websocket.RoundTripper{TLSConfig: tlsConfig, Proxier: proxy}
	roundTripper, err := transport.HTTPWrappersForConfig(t.settings, upgrade)
	return upgrade, roundTripper, err
}
