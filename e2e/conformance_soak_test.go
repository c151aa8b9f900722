//go:build soak

package e2e

import "testing"

// TestSoakH2specThroughAnIntercept: h2spec gives each answer a few seconds, which a busy machine may
// not keep.
//
//e2e:alone
func TestSoakH2specThroughAnIntercept(t *testing.T) {
	t.Run("with a rule", func(t *testing.T) { h2specThroughAnIntercept(t, localRule) })
	t.Run("of everything", func(t *testing.T) { h2specThroughAnIntercept(t) })
}

func TestSoakGRPCFollowsTheLocalProcess(t *testing.T) { followsTheLocalProcess(t, nil) }
