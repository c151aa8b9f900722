//go:build soak

package image

import "testing"

func TestSoakSameSourceSameDigest(t *testing.T) { requireSameAgain(t, Platforms()...) }
