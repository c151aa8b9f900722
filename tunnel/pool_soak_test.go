//go:build soak

package tunnel_test

import "testing"

func TestSoakStalledDownloadsHarmNoNewConnection(t *testing.T) { stallDownloads(t, 24, 500, 32<<20) }
