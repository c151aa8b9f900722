package command

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// daemons starts, from a program, a process that has left its session, is an
// orphan, and writes its number to the file polite; and one with an own child, to
// the file deep. Both end by SIGTERM.
const daemons = `
(setsid sh -c 'trap "echo bye >said; exit" TERM; echo $$ >polite; while :; do sleep 0.01; done' &)
(setsid sh -c '(setsid sh -c "echo \$\$ >deep; exec sleep 1000"; :) & wait' &)
while ! test -s polite || ! test -s deep; do sleep 0.01; done
`

// stubborn starts one like polite that ignores SIGTERM.
const stubborn = `
(setsid sh -c '(trap "" TERM HUP; exec setsid sh -c "echo \$\$ >stubborn; exec sleep 1000") &')
while ! test -s stubborn; do sleep 0.01; done
`

// openDir is a directory that everybody may enter, whatever $TMPDIR and the umask are.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "devtun-command")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

func pidIn(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	return pid
}

func requireDaemonsGone(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"polite", "deep"} {
		gone(t, pidIn(t, filepath.Join(dir, name)))
	}
	said, err := os.ReadFile(filepath.Join(dir, "said"))
	require.NoError(t, err)
	require.Equal(t, "bye\n", string(said))
}

func TestChildrenEndWithTheProgram(t *testing.T) {
	t.Chdir(t.TempDir())
	own := exec.Command("sleep", "1000")
	require.NoError(t, own.Start())
	c := Command{Args: []string{"sh", "-c", daemons + "exit 4"}, RestGrace: time.Minute}
	code, err := c.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 4, code)
	for _, name := range []string{"polite", "deep"} {
		require.False(t, exists(pidIn(t, name)), name)
	}
	requireDaemonsGone(t, ".")
	require.True(t, exists(own.Process.Pid), "a child of this process's own")
	require.NoError(t, own.Process.Kill())
	require.Error(t, own.Wait())
}

func TestStubbornChildrenAreKilled(t *testing.T) {
	t.Chdir(t.TempDir())
	c := Command{Args: []string{"sh", "-c", stubborn + "kill -TERM $(cat stubborn); exit 4"},
		RestGrace: 50 * time.Millisecond}
	code, err := c.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 4, code)
	require.False(t, exists(pidIn(t, "stubborn")))
}

func TestRunnerIsKilled(t *testing.T) {
	dir := t.TempDir()
	r := newRunner(t, "", "sh", "-c", daemons+"trap 'echo ended; exit' TERM; echo $$; while :; do sleep 0.01; done")
	r.Dir = dir
	r.start()
	program, err := strconv.Atoi(r.line())
	require.NoError(t, err)
	require.NoError(t, r.Process.Kill())
	r.expect("ended") // it could say so
	gone(t, program)
	requireDaemonsGone(t, dir)
}

func TestRunnerIsKilledAndTheStubbornToo(t *testing.T) {
	dir := t.TempDir()
	r := newRunner(t, "", "sh", "-c", stubborn+"echo started; exec sleep 1000").brief()
	r.Dir = dir
	r.start().expect("started")
	require.NoError(t, r.Process.Kill())
	gone(t, pidIn(t, filepath.Join(dir, "stubborn")))
}

func TestKeeperIsKilled(t *testing.T) {
	r := newRunner(t, "", "sh", "-c", "echo $$; exec sleep 1000").start()
	program, err := strconv.Atoi(r.line())
	require.NoError(t, err)
	p, ok := lookAt(program)
	require.True(t, ok)
	require.NotEqual(t, r.Process.Pid, p.parent)
	require.NoError(t, syscall.Kill(p.parent, syscall.SIGKILL))
	gone(t, program)
	r.expect("keep program: signal: killed")
	require.Equal(t, 99, r.code())
}

// TestChildrenOutOfReach has an unprivileged program start a process that becomes
// root's, as with sudo: a copy of the test binary with the set-user-ID bit.
func TestChildrenOutOfReach(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a set-user-ID program")
	}
	content, err := os.ReadFile(self)
	require.NoError(t, err)
	raising := filepath.Join(openDir(t), "raise")
	require.NoError(t, os.WriteFile(raising, content, 0o755))
	require.NoError(t, os.Chmod(raising, 0o755|os.ModeSetuid))
	r := newRunner(t, "", "sh", "-c", `"$0" role:raise & wait`, raising).asNobody().start()
	answer := r.line()
	pid, err := strconv.Atoi(answer)
	if err != nil {
		require.Fail(t, answer, "hint: mount /tmp without nosuid, and allow new privileges")
	}
	defer syscall.Kill(pid, syscall.SIGKILL)
	require.NoError(t, r.Process.Signal(syscall.SIGTERM))
	r.expect(fmt.Sprintf("end what the program started: processes [%d] are out of reach", pid))
	require.Equal(t, 99, r.code())
}

// raiseRole becomes root's, says its number, and stays.
func raiseRole([]string) int {
	if err := syscall.Setresuid(0, 0, 0); err != nil {
		fmt.Println("no set-user-ID programs here:", err)
		return 1
	}
	os.Stderr.Close()
	fmt.Println(os.Getpid())
	os.Stdout.Close()
	select {}
}
