//go:build soak

package e2e

import (
	"testing"
	"time"
)

// TestSoakATeamSharesAService is as large as teams are that work on one service. It counts
// requests that are late: as the short form, it is late itself beside others.
//
//e2e:alone
func TestSoakATeamSharesAService(t *testing.T) {
	aTeamSharesAService(t, 20, 300, time.Minute, 25*time.Second)
}
