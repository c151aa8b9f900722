package check

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFirstFault(t *testing.T) {
	require.Nil(t, FirstFault(nil))
	require.Nil(t, FirstFault([]Result{{Status: OK}, {Status: Warning}, {Status: NotChecked}}))
	got := FirstFault([]Result{{Status: Warning}, {Check: "one", Status: Fault}, {Check: "two", Status: Fault}})
	require.Equal(t, "one", got.Check)
}
