//go:build soak

package agent

import "testing"

func TestSoakMuchEachWay(t *testing.T) { carryMuch(t, 1<<30) }

func TestSoakFiveHundredAtOnceAndOneStalled(t *testing.T) { carryManyBesideAStalled(t, 300<<10) }
