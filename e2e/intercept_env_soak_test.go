//go:build soak

package e2e

import "testing"

// TestSoakEnvironmentAndFilesOfTheContainer waits until the kubelet looks by itself.
func TestSoakEnvironmentAndFilesOfTheContainer(t *testing.T) {
	environmentAndFiles(t, func(*namespace) {})
}
