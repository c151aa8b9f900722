package leftover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The ways in which this test binary is a helper of its tests: by an argument,
// since some have an empty environment.
const (
	waitMode    = "-leftover-wait"    // print its number, wait until standard input ends
	orphanMode  = "-leftover-orphan"  // start one that waits, in a session of its own, and end
	groupMode   = "-leftover-group"   // the same, but in the caller's session
	adoptMode   = "-leftover-adopt"   // see adopt
	privateMode = "-leftover-private" // see private
)

// testTimeout guards against hanging for ever.
const testTimeout = 30 * time.Second

func TestMain(m *testing.M) {
	mode := ""
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case waitMode:
		fmt.Println(os.Getpid())
		io.Copy(io.Discard, os.Stdin)
	case orphanMode, groupMode:
		exit(orphan(mode == orphanMode, os.Args[2:]))
	case adoptMode:
		exit(adopt())
	case privateMode:
		exit(private(os.Args[2]))
	default:
		os.Exit(m.Run())
	}
	exit(nil)
}

// exit ends a helper at once: os.Exit takes a second under the race detector.
func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	syscall.Exit(0)
}

// orphan starts a process that outlives this one.
func orphan(session bool, args []string) error {
	cmd := exec.Command("/proc/self/exe", append([]string{waitMode}, args...)...)
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
	return cmd.Start()
}

// start starts this binary as a helper, with an empty environment and away from
// all directories unless cmd says otherwise. It returns the process that waits,
// and what ends it.
func start(t *testing.T, cmd *exec.Cmd) (pid int, end func()) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	mode := cmd.Args[0]
	cmd.Path = cmp.Or(cmd.Path, self)
	cmd.Args = append([]string{"helper"}, cmd.Args...)
	cmd.Env = append([]string{}, cmd.Env...) // nil would be this one's
	cmd.Dir = cmp.Or(cmd.Dir, "/")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	end = sync.OnceFunc(func() {
		in.Close()
		if mode == waitMode {
			cmd.Wait()
		}
		out.Close()
	})
	t.Cleanup(end)
	_, err = fmt.Fscanln(out, &pid)
	require.NoError(t, err)
	if mode != waitMode {
		_, err = cmd.Process.Wait() // Cmd.Wait would close the pipes
		require.NoError(t, err)
	}
	return pid, end
}

// anotherNamespace makes a command start in namespaces of its own, as root or
// not.
func anotherNamespace(flags uintptr) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: flags}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// needNamespaces leaves out what a machine forbids its users; root may always.
func needNamespaces(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.SysProcAttr = anotherNamespace(syscall.CLONE_NEWNET)
	if err := cmd.Run(); err != nil {
		t.Skip("users may not make namespaces here:", err)
	}
}

func TestProcess(t *testing.T) {
	scratch := t.TempDir()
	program := filepath.Join(scratch, "program")
	copyProgram(t, program)
	run := Run{ID: "leftover-" + filepath.Base(scratch), Dirs: []string{scratch}}
	for name, test := range map[string]struct {
		cmd        exec.Cmd // its Args without a name
		namespaces bool
		known      string // or nothing, if only a strict run tells of it
	}{
		"child": {cmd: exec.Cmd{Args: []string{waitMode}, SysProcAttr: &syscall.SysProcAttr{Setsid: true}},
			known: "parent"},
		"environment":       {cmd: exec.Cmd{Args: []string{orphanMode}, Env: []string{run.Env()}}, known: "environment"},
		"program":           {cmd: exec.Cmd{Args: []string{orphanMode}, Path: program}, known: "program"},
		"working directory": {cmd: exec.Cmd{Args: []string{orphanMode}, Dir: scratch}, known: "working directory"},
		"arguments":         {cmd: exec.Cmd{Args: []string{orphanMode, "--file=" + scratch + "/file"}}, known: "arguments"},
		"process group":     {cmd: exec.Cmd{Args: []string{groupMode}}, known: "process group"},
		"namespaces":        {cmd: exec.Cmd{Args: []string{orphanMode}}, namespaces: true, known: "namespaces"},
		"nothing":           {cmd: exec.Cmd{Args: []string{orphanMode}}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.namespaces {
				needNamespaces(t)
				test.cmd.SysProcAttr = anotherNamespace(syscall.CLONE_NEWNET)
			}
			before := take(t)
			pid, end := start(t, &test.cmd)
			now := take(t)
			require.Contains(t, now.processes, pid)
			net := "network namespace " + now.processes[pid].Namespaces.Net
			run := run // what else goes on on this machine is another's
			run.Ignore = func(line string) bool {
				return !strings.HasPrefix(line, fmt.Sprintf("process %d ", pid)) && line != net
			}
			left := run.New(before, now)
			if test.known == "" {
				require.Empty(t, left)
				run.Strict = true
				left = run.New(before, now)
			}
			if test.namespaces {
				require.Equal(t, net, left[0])
				left = left[1:]
			}
			require.Len(t, left, 1)
			require.Contains(t, left[0], " "+strings.Join(now.processes[pid].Command, " ")+" (started ")
			if test.known != "" {
				require.True(t, strings.HasSuffix(left[0], ", known by its "+test.known+")"), left[0])
			}

			over, cancel := context.WithCancel(t.Context())
			cancel()
			still, err := run.Await(over, before)
			require.NoError(t, err)
			require.Contains(t, still, left[0], "it looks once, at least")

			time.AfterFunc(10*time.Millisecond, end) // while Await is at it
			ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
			defer cancel()
			left, err = run.Await(ctx, before)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func take(t *testing.T) *Snapshot {
	t.Helper()
	s, err := Take(t.Context())
	require.NoError(t, err)
	return s
}

func copyProgram(t *testing.T, to string) {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, self, 0o755))
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"devtun-old", "other-old"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	before, err := Take(t.Context(), dir, filepath.Join(dir, "missing"))
	require.NoError(t, err)
	var files []string
	for _, name := range []string{"TestX", "devtun-new", "other-new"} {
		files = append(files, filepath.Join(dir, name))
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	run := Run{Ignore: func(line string) bool { return !strings.HasPrefix(line, "file "+dir) }}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	left, err := run.Await(ctx, before)
	require.NoError(t, err)
	require.Equal(t, []string{"file " + files[0], "file " + files[1]}, left)
	run.Strict = true
	left, err = run.Await(ctx, before)
	require.NoError(t, err)
	require.Len(t, left, 3)

	for _, file := range files {
		require.NoError(t, os.Remove(file))
	}
	ctx, cancel = context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	left, err = run.Await(ctx, before)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestCgroup(t *testing.T) {
	before := take(t)
	name := fmt.Sprintf("/devtun-leftover-test-%d", os.Getpid())
	made := 0
	for root := range cgroupRoots(t) {
		dir := root + name
		if err := os.Mkdir(dir, 0o755); err != nil {
			require.True(t, errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS), "%v", err)
			continue
		}
		made++
		t.Cleanup(func() { os.Remove(dir) })
		require.NoError(t, os.Mkdir(dir+"/below", 0o755))
		t.Cleanup(func() { os.Remove(dir + "/below") }) // first: the latest goes first
	}
	if made == 0 {
		t.Skip("this machine, or this user, may not make cgroups")
	}
	run := Run{Ignore: func(line string) bool { return !strings.HasPrefix(line, "cgroup "+name) }}
	left := run.New(before, take(t))
	require.Len(t, left, 1, "one for all hierarchies, without what is below")
	t.Log(left[0])
	for root := range cgroupRoots(t) {
		os.Remove(root + name + "/below")
		os.Remove(root + name)
	}
	require.Empty(t, run.New(before, take(t)))
}

func cgroupRoots(t *testing.T) map[string]bool {
	t.Helper()
	roots := make(map[string]bool)
	for m := range take(t).mounts {
		if m.kind == "cgroup" || m.kind == "cgroup2" {
			roots[m.point] = true
		}
	}
	return roots
}

// Mounts, links, users, groups and named network namespaces are made where
// nobody else sees them.
func TestPrivateMachine(t *testing.T) {
	needNamespaces(t)
	cmd := exec.Command("/proc/self/exe", privateMode, t.TempDir())
	cmd.SysProcAttr = anotherNamespace(syscall.CLONE_NEWNS | syscall.CLONE_NEWNET)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// private is the inner half of TestPrivateMachine. It needs no test to stop it:
// all that it makes ends with its namespaces.
func private(dir string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("none", "/run", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	before, err := Take(context.Background(), dir)
	if err != nil {
		return err
	}
	run := Run{Ignore: func(line string) bool { // the only things that all share
		return strings.HasPrefix(line, "process ") || strings.HasPrefix(line, "cgroup ") ||
			strings.HasPrefix(line, "network namespace net:")
	}}

	want := []string{"link leftover0", "link veth0", "network namespace /run/netns/leftover",
		"mount /run/netns/leftover (tmpfs)"}
	if err := makeVeth("leftover0"); err != nil {
		return fmt.Errorf("make link: %w", err)
	}
	named := "/run/netns/leftover"
	if err := os.MkdirAll(named, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("none", named, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", named, err)
	}
	for file, line := range map[string]string{"/etc/passwd": "user leftover", "/etc/group": "group leftover"} {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		changed := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(changed, append(text, "leftover:x:4711:\n"...), 0o644); err != nil {
			return err
		}
		if err := syscall.Mount(changed, file, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", file, err)
		}
		want = append(want, line)
	}
	now, err := Take(context.Background(), dir)
	if err != nil {
		return err
	}
	left := run.New(before, now)
	for m := range now.mounts {
		if m.point == "/etc/passwd" || m.point == "/etc/group" {
			want = append(want, m.String())
		}
	}
	slices.Sort(want)
	if !slices.Equal(want, left) {
		return fmt.Errorf("left are %q, not %q", left, want)
	}

	for _, point := range []string{"/etc/passwd", "/etc/group", named} {
		if err := syscall.Unmount(point, 0); err != nil {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	if err := os.Remove(named); err != nil {
		return err
	}
	if err := removeLink("leftover0"); err != nil {
		return fmt.Errorf("remove link: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	left, err = run.Await(ctx, before)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("left are %q, not nothing", left)
	}
	return err
}
