//go:build soak

package e2e

import (
	"testing"
	"time"
)

func TestSoakHeldBreakpoint(t *testing.T) { holdBreakpoint(t, 2*time.Minute) }
