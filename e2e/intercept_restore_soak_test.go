//go:build soak

package e2e

import "testing"

// These kill at each request in turn.

func TestSoakInterceptKilledAtEachRequest(t *testing.T) { interceptKilledAtRequests(t, 1) }

func TestSoakRestoreKilledAtEachRequest(t *testing.T) { restoreKilledAtRequests(t, 1) }

func TestSoakInterceptPlanKilledAtEachRequest(t *testing.T) { interceptPlanKilled(t, 1) }
