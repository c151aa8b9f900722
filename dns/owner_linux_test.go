package dns

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOwnerOfAnEndedProcess(t *testing.T) {
	child := exec.Command("sleep", "60")
	require.NoError(t, child.Start())
	owner, err := Current()
	require.NoError(t, err)
	owner.PID = child.Process.Pid
	_, owner.Start, err = readStat(fmt.Sprintf("/proc/%d/stat", owner.PID))
	require.NoError(t, err)
	require.True(t, owner.Alive())

	require.NoError(t, child.Process.Kill())
	require.Eventually(t, func() bool { return !owner.Alive() }, 20*time.Second, time.Millisecond,
		"a zombie is dead too")
	require.Error(t, child.Wait())
	require.False(t, owner.Alive())
}
