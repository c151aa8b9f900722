package command

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSignalsArePassedOn(t *testing.T) {
	t.Parallel() // it waits for the keeper to see no second copy
	r := newRunner(t, "", self, "role:count").start()
	r.expect("ready")
	for _, s := range []syscall.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGINT, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
	} {
		require.NoError(t, r.Process.Signal(s))
		r.expect(s.String())
	}
	require.NoError(t, r.Process.Signal(syscall.SIGTERM))
	r.expect("terminated")
	require.Equal(t, 7, r.code())
}

// TestGroupSignalsAreNotDoubled sends signals to the process group, as shells,
// timeout(1) and terminals do, each followed by another to the runner alone: a
// second copy of the first would come before it.
func TestGroupSignalsAreNotDoubled(t *testing.T) {
	t.Parallel() // it waits for the keeper to see no second copy
	r := newRunner(t, "", self, "role:count")
	r.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.start()
	r.expect("ready")
	for range 3 {
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP} {
			require.NoError(t, syscall.Kill(-r.Process.Pid, s))
			r.expect(s.String())
			require.NoError(t, r.Process.Signal(syscall.SIGUSR1))
			r.expect(syscall.SIGUSR1.String())
		}
	}
	require.NoError(t, syscall.Kill(-r.Process.Pid, syscall.SIGTERM))
	r.expect("terminated")
	require.Equal(t, 7, r.code())
}

// TestGroupSignalsForAProgramElsewhere has the program in a group of its own,
// where a signal to the runner's group does not reach it.
func TestGroupSignalsForAProgramElsewhere(t *testing.T) {
	r := newRunner(t, "", "setsid", selfPath(t), "role:count")
	r.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.start()
	r.expect("ready")
	require.NoError(t, syscall.Kill(-r.Process.Pid, syscall.SIGINT))
	r.expect("interrupt")
	require.NoError(t, r.Process.Signal(syscall.SIGTERM))
	r.expect("terminated")
	require.Equal(t, 7, r.code())
}

func TestTerminal(t *testing.T) {
	t.Parallel() // it waits for the keeper to see no second copy
	master, slave, err := openTerminal()
	require.NoError(t, err)
	defer master.Close()
	r := newRunner(t, "", "sh", "-c", `test -t 0 && test -t 2 && exec "$0" role:count`, selfPath(t))
	r.Stdin, r.Stderr = slave, slave
	r.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	r.start()
	require.NoError(t, slave.Close())
	r.expect("ready")
	typed := func(key string, want syscall.Signal) {
		_, err := master.WriteString(key)
		require.NoError(t, err)
		r.expect(want.String())
		require.NoError(t, r.Process.Signal(syscall.SIGUSR1)) // after a second copy, see above
		r.expect(syscall.SIGUSR1.String())
	}
	const controlC, controlBackslash = "\x03", "\x1c"
	typed(controlC, syscall.SIGINT)
	typed(controlC, syscall.SIGINT)
	typed(controlBackslash, syscall.SIGQUIT)
	require.NoError(t, unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 10, Col: 20}))
	typed("", syscall.SIGWINCH)

	require.NoError(t, r.Process.Signal(syscall.SIGINT)) // from elsewhere, to the runner alone
	r.expect("interrupt")

	require.NoError(t, master.Close()) // the kernel tells the session's leader, the runner
	r.expect("hangup")
	require.NoError(t, r.Process.Signal(syscall.SIGTERM))
	r.expect("terminated")
	require.Equal(t, 7, r.code())
}

// TestAProgramThatIgnoresSignalsIsKilled by the third in a row, and named before.
func TestAProgramThatIgnoresSignalsIsKilled(t *testing.T) {
	t.Parallel() // it waits for the keeper to see no second copy
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		r := newRunner(t, "", "sh", "-c", "trap '' INT TERM; echo ready; while :; do sleep 0.01; done")
		r.Args[1] = "role:insist"
		r.start()
		r.expect("ready")
		name := "'" + strings.Join(r.Args[3:], " ") + "'"
		require.NoError(t, r.Process.Signal(s))
		again := time.NewTicker(time.Millisecond) // two that come at once are one
		defer again.Stop()
		said := make(chan string)
		go func() {
			defer close(said)
			for r.out.Scan() {
				said <- r.out.Text()
			}
		}()
		until := func(want string) {
			for {
				select {
				case <-again.C:
					require.NoError(t, r.Process.Signal(s))
				case line := <-said:
					require.Equal(t, want, line)
					return
				}
			}
		}
		until("waiting for " + name + " to end; a third time within 10s kills it")
		until("killing " + name + ", which has not ended")
		for range said { // each further signal says so
		}
		require.Equal(t, 128+9, r.code())
	}
}

func TestIgnoredSignalsStayIgnored(t *testing.T) {
	r := newRunner(t, "", "sh", "-c", "kill -HUP $$; echo alive; kill -INT $$")
	r.Path, r.Args = "/bin/sh", []string{"sh", "-c", `trap '' HUP; exec "$0" "$@"`, selfPath(t), "role:run", "", "sh",
		"-c", "kill -HUP $$; echo alive; kill -INT $$"}
	r.start()
	r.expect("alive")
	require.Equal(t, 128+2, r.code())
}

// TestInheritedDescriptors compares with a start without devtun: descriptors that
// a shell or make has opened reach the program, and none of the keeper's.
func TestInheritedDescriptors(t *testing.T) {
	script := []string{"sh", "-c", "cat <&3; ls /proc/self/fd"}
	open := func() []*os.File {
		file, err := os.CreateTemp(t.TempDir(), "")
		require.NoError(t, err)
		t.Cleanup(func() { file.Close() })
		_, err = file.WriteString("three\n")
		require.NoError(t, err)
		_, err = file.Seek(0, 0)
		require.NoError(t, err)
		return []*os.File{file}
	}
	direct := exec.Command(script[0], script[1:]...)
	direct.ExtraFiles = open()
	want, err := direct.Output()
	require.NoError(t, err)

	r := newRunner(t, "", script...)
	r.ExtraFiles = open()
	r.start()
	for want := range strings.Lines(string(want)) {
		r.expect(strings.TrimSpace(want))
	}
	require.Zero(t, r.code())
}

// openTerminal makes a pseudoterminal, whose slave is a terminal and whose
// master is who sits before it.
func openTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	if err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}
