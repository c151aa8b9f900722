package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestInterceptEndsInOrderWithoutAReader: whoever reads the output goes with the same
// Ctrl-C, or does not read at all. Nothing is left of the intercept, in the cluster or
// on the disk.
func TestInterceptEndsInOrderWithoutAReader(t *testing.T) {
	n, objects := described(t), dynamicClient(t)
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	for how, leave := range map[string]func(read, write *os.File){
		"tee is gone first": func(read, _ *os.File) { read.Close() },
		"nobody reads":      func(_, write *os.File) { go write.Write(make([]byte, 1<<20)) }, // ends with the reader
	} {
		t.Run(how, func(t *testing.T) {
			read, write, err := os.Pipe()
			require.NoError(t, err)
			defer write.Close()
			defer read.Close()
			file := filepath.Join(t.TempDir(), ".env")
			cmd := exec.Command(devtunPath(), "intercept", "service-middle", "--kubeconfig", kubeconfig(), "-n", n.name,
				"--no-forward", "--replace", "-v", "--env-file", file)
			cmd.Stdout, cmd.Stderr = write, write
			require.NoError(t, cmd.Start())
			said := bufio.NewScanner(read)
			for said.Scan() && !strings.HasPrefix(said.Text(), "devtun: ready") {
			}
			require.FileExists(t, file)
			leave(read, write)
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
			late := time.AfterFunc(backTimeout, func() { cmd.Process.Kill() })
			err = cmd.Wait()
			require.True(t, late.Stop(), "it has not ended")
			require.NoError(t, err)
			require.NoFileExists(t, file)
			n.asBefore(objects, before, how)
		})
	}
}

// TestASecondInterruptEndsTheWait for a connection that does not end.
func TestASecondInterruptEndsTheWait(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	address, _ := localServer(t)
	d, _, at := n.interceptWeb("--to", address)
	conn := dial(t, at(7000))
	fmt.Fprint(conn, "x")
	_, err := conn.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, d.cmd.Process.Signal(os.Interrupt))
	says := func(text string) {
		d.await(text, backTimeout, func(e event) bool { return e.Type == "progress" && strings.Contains(e.Message, text) })
	}
	says("waiting up to 30s for 1 connection under way: Ctrl-C cuts them off")
	code, stderr := d.gives()
	require.Zero(t, code, stderr)
	says("cutting off 1 connection")
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
	n.noAgents()
}
