//go:build soak

package e2e

import "testing"

func TestSoakDocsReachAnything(t *testing.T) { readPage(t, "docs/reach-anything.md") }
