package forward

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/tunnel"
)

// What --link may say of how links to agents and relays go.
const (
	// LinkAuto is through the API server's pod proxy where that can be had.
	LinkAuto = "auto"
	// LinkPortForward is through port-forwards alone.
	LinkPortForward = "portforward"
	// LinkProxy is through the pod proxy, or not at all.
	LinkProxy = "proxy"
)

// Links lists what a user may ask for.
func Links() []string { return []string{LinkAuto, LinkPortForward, LinkProxy} }

func checkLink(link string) error {
	if link != "" && !slices.Contains(Links(), link) {
		return problem.Usage("one of "+strings.Join(Links(), ", "), "unknown --link %q", link)
	}
	return nil
}

// LinkProxy is how links go through the pod proxy, and whether that is their only way; nil if
// they are not to.
func (s *Settings) LinkProxy(
	transport *tunnel.Transport,
) (dial func(context.Context, tunnel.Pod, int) (io.ReadWriteCloser, error), only bool) {
	if s.Link == LinkPortForward {
		return nil, false
	}
	return transport.DialProxy, s.Link == LinkProxy
}
