//go:build soak

package handover

import "testing"

func TestSoakReadersOfAVolumeFindOldOrNew(t *testing.T) { readWhileAVolumeChanges(t, 200) }

func TestSoakReadersOfAnEnvFileFindOldOrNew(t *testing.T) { readWhileAnEnvFileChanges(t, 500) }
