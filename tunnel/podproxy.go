package tunnel

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// proxyProtocol is the name of what DialProxy asks the pod to speak.
const proxyProtocol = "devtun"

// DialProxy opens a connection to a port of a pod, at the pod's address, through the API
// server's pod proxy, by an upgrade that the pod has to answer. It takes the right to
// `get pods/proxy`. The caller owns the connection, and must not write before it has it; it
// has no half-close. A refusal by the API server is an apierrors.APIStatus.
func (t *Transport) DialProxy(ctx context.Context, pod Pod, port int) (io.ReadWriteCloser, error) {
	url := t.base.JoinPath("api", "v1", "namespaces", pod.Namespace, "pods",
		fmt.Sprintf("%s:%d", pod.Name, port), "proxy", "/")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("connect to pod %s: %w", pod, err)
	}
	return t.upgrade(request, pod, proxyProtocol)
}
