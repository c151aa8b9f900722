package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/devtun/devtun/e2e/cluster"
)

// leaveTimeout bounds the wait for what a machine's first process has started and
// left to itself: it is to end with it, and may need a moment. A helper whose devtun
// was killed before it called waits for that for 20 s.
const leaveTimeout = 30 * time.Second

// gate is the file descriptor on which a machine's first process waits until its
// network is there.
const gate = 3

// LeftError is what a machine's processes have left behind.
type LeftError struct{ Left []string }

func (e *LeftError) Error() string {
	return "left behind: " + strings.Join(e.Left, "; ")
}

// Run runs a command in a new machine to its end. The command is to call Enter
// first. The error is the command's, or a LeftError where it succeeded but
// processes or temporary files of the machine are still there; they are ended and
// removed then.
func (b *Bed) Run(ctx context.Context, m Machine, cmd *exec.Cmd) (err error) {
	if err := os.MkdirAll(filepath.Join(m.Home, "tmp"), 0o755); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(m.Home)) }()
	module, err := filepath.Abs("..") // of the tests, in the command's directory
	if cmd.Dir != "" {
		module, err = filepath.Abs(filepath.Join(cmd.Dir, ".."))
	}
	if err != nil {
		return err
	}
	kept := ""
	if below, is := strings.CutPrefix(module, "/tmp/"); is {
		kept, _, _ = strings.Cut(below, "/")
	}
	// Users of the machine make files there too.
	if err := os.Chmod(filepath.Join(m.Home, "tmp"), 0o777|os.ModeSticky); err != nil {
		return err
	}
	wait, open, err := os.Pipe()
	if err != nil {
		return err
	}
	defer wait.Close()
	defer open.Close()
	alone := ""
	if m.Alone {
		alone = "yes"
	}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, kubeconfigVar+"="+b.Kubeconfig, clusterVar+"="+b.Cluster, programsVar+"="+b.Programs,
		imagesVar+"="+b.Images, homeVar+"="+m.Home, numberVar+"="+strconv.Itoa(m.Number), aloneVar+"="+alone, "TMPDIR=")
	cmd.ExtraFiles = []*os.File{wait} // becomes the gate
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if b.Cluster != "" {
		cmd.SysProcAttr.Unshareflags |= syscall.CLONE_NEWNET
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	spaces, err := openSpaces(cmd.Process.Pid, cmd.SysProcAttr.Unshareflags)
	defer spaces.close()
	if err == nil && b.Cluster != "" {
		var local *cluster.Cluster
		if local, err = cluster.Open(b.Cluster); err == nil {
			err = local.Join(ctx, cmd.Process.Pid, m.Number)
		}
	}
	if err != nil {
		open.Close() // which ends it: it has read nothing
		return errors.Join(err, cmd.Wait())
	}
	if _, err := open.Write([]byte{1}); err != nil {
		return errors.Join(err, cmd.Wait())
	}
	err = cmd.Wait()
	left := spaces.left()
	if err != nil {
		return err
	}
	files, err := os.ReadDir(filepath.Join(m.Home, "tmp"))
	for _, file := range files {
		// What a killed command has in the directory of sessions, the next one removes.
		ours := strings.HasPrefix(file.Name(), "devtun-") || strings.HasPrefix(file.Name(), "devtun.leases")
		if !ours && file.Name() != kept {
			left = append(left, "temporary file "+file.Name())
		}
	}
	if len(left) > 0 && err == nil {
		err = &LeftError{left}
	}
	return err
}

// spaces are the namespaces of a machine, by their names. They are held open: the
// kernel gives the name of one that has gone to another.
type spaces map[string]*os.File

func openSpaces(pid int, own uintptr) (spaces, error) {
	found := make(spaces)
	for kind, flag := range map[string]uintptr{"mnt": syscall.CLONE_NEWNS, "net": syscall.CLONE_NEWNET} {
		if own&flag == 0 {
			continue
		}
		path := fmt.Sprintf("/proc/%d/ns/%s", pid, kind)
		file, err := os.Open(path)
		if err != nil {
			return found, err
		}
		name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
		if err != nil {
			file.Close()
			return found, err
		}
		found[name] = file
	}
	return found, nil
}

func (s spaces) close() {
	for _, file := range s {
		file.Close()
	}
}

// left waits until no process is in any of the namespaces any more, and kills those
// that stay. It returns what they are.
func (s spaces) left() (left []string) {
	late := time.After(leaveTimeout)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		found := s.processes()
		if len(found) == 0 {
			return nil
		}
		select {
		case <-look.C:
		case <-late:
			for _, pid := range found {
				line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				left = append(left, fmt.Sprintf("process %d %s", pid, strings.ReplaceAll(strings.TrimRight(string(line), "\x00"),
					"\x00", " ")))
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
			}
			return left
		}
	}
}

func (s spaces) processes() (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		for _, kind := range []string{"mnt", "net"} {
			its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
			if _, ours := s[its]; err == nil && ours {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// Enter makes the machine of this process, its first one: it waits for the network,
// and then gives it the files that are its own.
func Enter() error {
	open := os.NewFile(gate, "gate")
	defer open.Close()
	if _, err := open.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("wait for the network: %w", err)
	}
	syscall.CloseOnExec(gate)
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	// A copy, so that the hosts file can be replaced by rename as on any machine.
	etc := filepath.Join(os.Getenv(homeVar), "etc")
	if out, err := exec.Command("cp", "-a", "/etc", etc).CombinedOutput(); err != nil {
		return fmt.Errorf("copy /etc: %w: %s", err, out)
	}
	if err := syscall.Mount(etc, "/etc", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount /etc: %w", err)
	}
	if err := ownTemporary(filepath.Join(os.Getenv(homeVar), "tmp")); err != nil {
		return err
	}
	if err := syscall.Mount("run", "/run", "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	for _, dir := range []string{"/run/lock", "/run/user"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	// What devtun has written for a user is written down there: another machine's
	// clean would take it for gone, since it does not see the files.
	return os.Setenv("XDG_STATE_HOME", filepath.Join(os.Getenv(homeVar), "state"))
}

// ownTemporary has /tmp be a folder of this machine's, where only the module that is
// tested is what it was.
func ownTemporary(folder string) error {
	tests, err := os.Getwd()
	if err != nil {
		return err
	}
	module := filepath.Dir(tests)
	was, err := os.Open(module)
	if err != nil {
		return err
	}
	defer was.Close()
	if err := syscall.Mount(folder, "/tmp", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount /tmp: %w", err)
	}
	if !strings.HasPrefix(module, "/tmp/") {
		return nil
	}
	if err := os.MkdirAll(module, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(fmt.Sprintf("/proc/self/fd/%d", was.Fd()), module, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", module, err)
	}
	return os.Chdir(tests)
}
