//go:build soak && linux

package hostsfile

import "testing"

// All pairs of kills, one way of writing at a time.

func TestSoakKilledWhileExchanging(t *testing.T)  { requireSurvivesKills(t, "exchange", 1) }
func TestSoakKilledWhileRenaming(t *testing.T)    { requireSurvivesKills(t, "rename", 1) }
func TestSoakKilledWhileOverwriting(t *testing.T) { requireSurvivesKills(t, "overwrite", 1) }

func TestSoakKills(t *testing.T)               { requireSurvivesSignals(t, "exchange", 500) }
func TestSoakKillsOfAMountedFile(t *testing.T) { requireSurvivesSignals(t, "overwrite", 300) }

func TestSoakMountedFile(t *testing.T) { requireMountedFile(t, 500) }
