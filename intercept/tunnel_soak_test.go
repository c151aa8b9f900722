//go:build soak

package intercept

import "testing"

func TestSoakADeadAPIConnection(t *testing.T) { loseAPIConnection(t, func(*timing) {}) }
