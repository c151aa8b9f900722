package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const nobody, stranger = 65534, 65533

// dialAs dials as another user.
func dialAs(t *testing.T, uid uint32, path string) string {
	t.Helper()
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), roleVariable+"="+path)
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := child.Output()
	require.NoError(t, err)
	return string(out)
}

func TestOnlyTheUserComesIn(t *testing.T) {
	require.Zero(t, os.Geteuid(), "as the helper, this test needs root")
	dir := shortDir(t)
	require.NoError(t, os.Chmod(dir, 0o755))
	d, err := openSocket(dir, nobody)
	require.NoError(t, err)
	admitted := make(chan error, 1)
	go func() {
		conn, peer, err := d.accept(t.Context(), nobody)
		if err == nil {
			fmt.Fprint(conn, "in")
			conn.Close()
			if peer.uid != nobody || peer.pid <= 1 {
				err = fmt.Errorf("it was %+v", peer)
			}
		}
		admitted <- err
	}()
	require.Contains(t, dialAs(t, stranger, d.path()), "permission denied", "the socket is the user's alone")
	require.Empty(t, dialSocket(d.path()), "root may, and is turned away")
	require.NoError(t, os.Chmod(d.path(), 0o666))
	require.Empty(t, dialAs(t, stranger, d.path()), "a stranger who gets there is turned away")
	require.Equal(t, "in", dialAs(t, nobody, d.path()))
	require.NoError(t, <-admitted)
	require.NoError(t, d.close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestNobodyComes(t *testing.T) {
	d, err := openSocket(shortDir(t), nobody)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, _, err = d.accept(ctx, nobody)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, d.close())
}

// Of the sockets of helpers only those are removed behind which nobody is.
func TestSweep(t *testing.T) {
	dir := shortDir(t)
	open, err := openSocket(dir, nobody)
	require.NoError(t, err)
	dead, err := openSocket(dir, nobody)
	require.NoError(t, err)
	dead.listener.SetUnlinkOnClose(false)
	require.NoError(t, dead.listener.Close())
	other := filepath.Join(dir, socketPrefix+"other")
	require.NoError(t, os.Mkdir(other, 0o700))
	killed := filepath.Join(dir, socketPrefix+"killed")
	require.NoError(t, os.Mkdir(killed, 0o700))
	old := time.Now().Add(-2 * socketGrace)
	require.NoError(t, os.Chtimes(killed, old, old))
	removeStaleSockets(dir)
	require.NoDirExists(t, killed, "its helper was killed while it made it")
	require.NoDirExists(t, dead.directory)
	require.DirExists(t, open.directory)
	require.DirExists(t, other, "one that is just being made has no socket yet")
	require.NoError(t, open.close())
}

// The program speaks only to a helper that is root's.
func TestAFalseHelperIsNotTrusted(t *testing.T) {
	a, _ := pair(t)
	_, err := checkPeer(a, 0)
	require.NoError(t, err)
	_, err = checkPeer(a, nobody)
	require.ErrorContains(t, err, fmt.Sprintf("user 0 (pid %d) is at the other end, not user %d", os.Getpid(), nobody))
}

func TestLaunch(t *testing.T) {
	shell := func(script string) *exec.Cmd { return exec.Command("/bin/sh", "-c", script) }
	for about, c := range map[string]struct{ script, want string }{
		"a password is wanted": {"echo 'sudo: a password is required' >&2; exit 1", "sudo: a password is required"},
		"the last word counts": {"echo one >&2; echo two >&2; exit 1", "two"},
		"without a word":       {"exit 1", "it ended without a word: unexpected EOF"},
		"another program":      {"echo hello", `it said "hello"`},
		"another version": {"echo devtun-helper 99 /run/x",
			"it speaks version 99, not 4: was devtun replaced just now?"},
		"no line": {"head -c 100000 /dev/zero | tr '\\0' x", "it ended without a word: bufio: buffer full"},
	} {
		t.Run(about, func(t *testing.T) {
			_, err := launch(t.Context(), testTimeout, shell(c.script))
			require.EqualError(t, err, c.want)
		})
	}
	t.Run("it hangs", func(t *testing.T) {
		read, write, err := os.Pipe()
		require.NoError(t, err)
		defer read.Close()
		hangs := exec.Command("/bin/cat")
		hangs.Stdin = read
		_, err = launch(t.Context(), 10*time.Millisecond, hangs)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, write.Close()) // its end, which a real one finds when nobody comes
		require.Eventually(t, func() bool {
			return errors.Is(hangs.Process.Signal(syscall.Signal(0)), os.ErrProcessDone)
		}, testTimeout, time.Millisecond)
	})
	t.Run("it says where it is", func(t *testing.T) {
		s, err := launch(t.Context(), testTimeout, shell("echo devtun-helper 4 /run/x"))
		require.NoError(t, err)
		require.Equal(t, "/run/x", s.path)
		<-s.ended
		_, err = s.Connect(t.Context())
		require.ErrorContains(t, err, "connect to the helper: ")
	})
}

func TestWhoStandsBehindSudo(t *testing.T) {
	require.Zero(t, os.Geteuid())
	t.Setenv("SUDO_UID", "")
	u, err := Invoker()
	require.NoError(t, err)
	require.Nil(t, u, "nobody")
	t.Setenv("SUDO_UID", "0")
	u, err = Invoker()
	require.NoError(t, err)
	require.Nil(t, u, "root")
	t.Setenv("SUDO_UID", fmt.Sprint(nobody))
	u, err = Invoker()
	require.NoError(t, err)
	require.Equal(t, &User{UID: nobody, GID: nobody, Groups: []int{nobody}, Name: "nobody", Home: "/nonexistent"}, u)
	for _, wrong := range []string{"x", "-1", "4294967294"} {
		t.Setenv("SUDO_UID", wrong)
		_, err = Invoker()
		require.Error(t, err, wrong)
	}
}

func TestTail(t *testing.T) {
	var text tail
	fmt.Fprint(&text, strings.Repeat("x", 3*tailLen), "\nlast\n")
	require.Equal(t, "last", text.String())
	require.LessOrEqual(t, len(text.text), tailLen)
}
