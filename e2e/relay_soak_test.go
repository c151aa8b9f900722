//go:build soak

package e2e

import (
	"testing"
	"time"
)

// These run what is promised of a forward over a relay, by either way of its links, all at
// the same time: they wait, mostly.

// overRelays runs cases by each way over a relay.
func overRelays(t *testing.T, cases map[string]func(t *testing.T, by way)) {
	for _, by := range byRelay {
		for name, test := range cases {
			t.Run(by.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, by)
			})
		}
	}
}

func TestSoakRelayProtocols(t *testing.T) {
	overRelays(t, map[string]func(*testing.T, way){
		"protocols": func(t *testing.T, by way) { protocols(t, newNamespace(t).testserver("web", 1), by) },
		"trouble":   func(t *testing.T, by way) { troubleStays(t, newNamespace(t).testserver("web", 1), by) },
		"a paused download": func(t *testing.T, by way) {
			pausedDownload(t, newNamespace(t).testserver("web", 1), by)
		},
		"uploads": func(t *testing.T, by way) {
			uploadsHarmNone(t, newNamespace(t).testserver("web", 1), by, stallFor)
		},
	})
}

func TestSoakRelayRollouts(t *testing.T) {
	overRelays(t, map[string]func(*testing.T, way){
		"restart":        rolloutRestart,
		"single replica": rolloutOfASingleReplica,
		"deleted pod":    podDeletion,
		"zero and back":  scaleToZeroAndBack,
		"under its name": podMadeAnew,
	})
}

// TestSoakRelayFaultsPass: the black hole is long enough for the death of links to be seen.
func TestSoakRelayFaultsPass(t *testing.T) {
	cases := make(map[string]func(*testing.T, way))
	for name, f := range faults {
		cases[name] = func(t *testing.T, by way) { survive(t, f, by) }
	}
	hole := faults["short black hole"]
	hole.lasts = 20 * time.Second
	cases["black hole"] = func(t *testing.T, by way) { survive(t, hole, by) }
	overRelays(t, cases)
}

// TestSoakRelayAPIServer restarts the API server below a relay's links.
//
//e2e:disturbs
func TestSoakRelayAPIServer(t *testing.T) {
	for _, by := range byRelay {
		t.Run(by.name, func(t *testing.T) {
			t.Run("killed", func(t *testing.T) { apiServerRestart(t, by) })
			t.Run("away", func(t *testing.T) { apiServerMayGoAway(t, by) })
		})
	}
}
