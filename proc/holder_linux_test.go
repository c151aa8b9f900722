package proc

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestListeningRow(t *testing.T) {
	for _, c := range []struct {
		row, local string
		ok         bool
	}{
		{"0: 0307017F:0050 00000000:0000 0A 0:0 0:0 0 0 0 42 1", "127.1.7.3:80", true},
		{"0: 00000000:1F90 00000000:0000 0A 0:0 0:0 0 0 0 42 1", "0.0.0.0:8080", true},
		{"0: 0000000000000000FFFF00000307017F:0050 0:0 0A 0:0 0:0 0 0 0 42 1", "[::ffff:127.1.7.3]:80", true},
		{"0: 0307017F:0050 0307017F:0051 01 0:0 0:0 0 0 0 42 1", "", false},
		{"sl local_address rem_address st", "", false},
		{"0: zz:0050 00000000:0000 0A 0:0 0:0 0 0 0 42 1", "", false},
		{"0: 00:0050 00000000:0000 0A 0:0 0:0 0 0 0 42 1", "", false},
	} {
		local, inode, ok := listeningRow(c.row)
		require.Equal(t, c.ok, ok, c.row)
		if ok {
			require.Equal(t, c.local, local.String())
			require.Equal(t, "42", inode)
		}
	}
}
