package process

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseCPU(t *testing.T) {
	// The name is the program's to choose.
	used, err := parseCPU([]byte("42 (a) R (b) S 1 42 42 0 -1 4194560 1 2 3 4 120 30 0 0 20 0 9 0 100 1 1\n"))
	require.NoError(t, err)
	require.Equal(t, 1500*time.Millisecond, used)

	_, err = parseCPU([]byte("42 (name) S 1 42"))
	require.Error(t, err)
}

func TestBusy(t *testing.T) {
	require.Equal(t, 1230*time.Millisecond, parseBusy("cpu  100 1 10 9999 888 2 10 77 5 0\ncpu0 1 1 1\n"))
	require.Positive(t, Busy())
	require.Zero(t, parseBusy(""))
}

func TestOwnProcess(t *testing.T) {
	resident, err := ResidentMemory(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, resident, int64(1<<20))
	require.Less(t, resident, int64(1<<30))

	_, err = CPUTime(os.Getpid())
	require.NoError(t, err)
	own, err := os.Executable()
	require.NoError(t, err)
	program, err := os.Stat(own)
	require.NoError(t, err)
	size, err := ProgramSize(os.Getpid())
	require.NoError(t, err)
	require.Equal(t, program.Size(), size)
	_, err = ProgramSize(-1)
	require.Error(t, err)

	_, err = CPUTime(-1)
	require.Error(t, err)
}

func TestFreeze(t *testing.T) {
	c, err := Start(t.Context(), func(string) bool { return true }, "sh", "-c", "echo ready; exec sleep 60")
	require.NoError(t, err)
	defer c.Close()
	state := func() string {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.PID))
		require.NoError(t, err)
		return strings.Fields(string(stat))[2]
	}
	require.NoError(t, c.Freeze())
	require.Eventually(t, func() bool { return state() == "T" }, 10*time.Second, time.Millisecond)
	require.NoError(t, c.Thaw())
	require.Eventually(t, func() bool { return state() != "T" }, 10*time.Second, time.Millisecond)
}

func TestConnectionsAreCounted(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	address := netip.MustParseAddrPort(listener.Addr().String())
	count := func() int {
		n, err := Connections(os.Getpid(), address)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, count())
	for want := 1; want <= 2; want++ {
		conn, err := new(net.Dialer).DialContext(context.Background(), "tcp4", address.String())
		require.NoError(t, err)
		defer conn.Close()
		require.Equal(t, want, count(), "those accepted are not connections to the address")
	}
}

func TestOf(t *testing.T) {
	_, ok := Of("no-such-pod", "/devtun-agent")
	require.False(t, ok)
	program, err := exec.LookPath("cat")
	require.NoError(t, err)
	cat := exec.Command(program)
	cat.Env = []string{"HOSTNAME=testserver-0"}
	input, err := cat.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cat.Start())
	defer func() { input.Close(); cat.Wait() }()
	require.Eventually(t, func() bool { // a process that has just begun has no environment yet
		pid, ok := Of("testserver-0", program)
		return ok && pid == cat.Process.Pid
	}, 10*time.Second, time.Millisecond)
	_, ok = Of("testserver-1", program)
	require.False(t, ok)

	resident, err := ResidentMemory(os.Getpid())
	require.NoError(t, err)
	peak, err := PeakMemory(os.Getpid()) // later: what is resident may have grown
	require.NoError(t, err)
	require.GreaterOrEqual(t, peak, resident)
}
