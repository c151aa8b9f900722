package proc

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestIDOfAnEndedProcess(t *testing.T) {
	child := exec.Command("sleep", "60")
	require.NoError(t, child.Start())
	id, err := Self()
	require.NoError(t, err)
	id.PID = child.Process.Pid
	stat, err := StatOf(id.PID)
	require.NoError(t, err)
	require.Equal(t, os.Getpid(), stat.Parent)
	id.Start = stat.Start
	require.True(t, id.Alive())

	require.NoError(t, child.Process.Kill())
	require.Eventually(t, func() bool { return !id.Alive() }, 20*time.Second, time.Millisecond,
		"a zombie is dead too")
	require.Error(t, child.Wait())
	require.False(t, id.Alive())
}
