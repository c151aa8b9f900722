package loader

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestItIsSmall(t *testing.T) {
	for arch := range machines {
		file, err := ELF(arch)
		require.NoError(t, err)
		t.Logf("%s: %d bytes", arch, len(file))
		require.Less(t, len(file), 1024)
	}
}
