//go:build soak

package e2e

import (
	"testing"
	"time"
)

func TestSoakAStalledClientGoesOn(t *testing.T) { stalledClientGoesOn(t, time.Minute, 512<<20) }
