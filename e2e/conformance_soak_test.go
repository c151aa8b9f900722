//go:build soak

package e2e

import "testing"

func TestSoakH2specThroughAnInterceptOfEverything(t *testing.T) { h2specThroughAnIntercept(t) }

func TestSoakGRPCFollowsTheLocalProcess(t *testing.T) { followsTheLocalProcess(t, nil) }
