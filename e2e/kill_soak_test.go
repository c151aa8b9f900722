//go:build soak

package e2e

import "testing"

func TestSoakKilledAtAnyTime(t *testing.T) { killedAtAnyTime(t, 200, 300) }
