package plan

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheRelayAndAWorkloadOfItsName: both may stand in one namespace.
func TestTheRelayAndAWorkloadOfItsName(t *testing.T) {
	require.Equal(t, "devtun-relay", ObjectName(RelayName))
	require.Regexp(t, "^devtun-relay-[0-9a-f]{8}$", ObjectName("relay"))
	require.Equal(t, "devtun-relays", ObjectName("relays"))
}
