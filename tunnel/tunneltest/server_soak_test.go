//go:build soak

package tunneltest

import "testing"

func TestSoakDropWhileStreamsAreOpened(t *testing.T) { dropWhileStreamsAreOpened(t, 300) }

func TestSoakPortForwarderBothWays(t *testing.T) { forwardBothWays(t, 64<<20) }
