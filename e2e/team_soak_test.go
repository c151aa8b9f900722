//go:build soak

package e2e

import (
	"testing"
	"time"
)

// TestSoakATeamSharesAService is as large as teams are that work on one service.
func TestSoakATeamSharesAService(t *testing.T) {
	aTeamSharesAService(t, 20, 300, time.Minute, 25*time.Second)
}
