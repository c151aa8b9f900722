package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

func newMounts() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
}

const machineContent = "127.0.0.1 localhost\n"

// replaceOnMachine is the deed of TestHostsFileIsReplacedOutside.
func replaceOnMachine(etc string, link bool, hosts string, asNobody bool) (err error) {
	file := filepath.Join(etc, "hosts")
	if link {
		file = filepath.Join(etc, "static", "hosts")
		if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o755),
			os.Symlink("static/hosts", filepath.Join(etc, "hosts"))); err != nil {
			return err
		}
	}
	if err := os.WriteFile(file, []byte(machineContent), 0o644); err != nil {
		return err
	}
	// Shared, as systemd has it: what is mounted inside must not come out.
	if err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""),
		unix.Mount(etc, "/etc", "", unix.MS_BIND, ""),
	); err != nil {
		return fmt.Errorf("make machine: %w", err)
	}

	// The program answers each line with the first line of its hosts file.
	child := exec.Command(self, "role:run", hosts, "sh", "-c",
		`while read ask; do read name </etc/hosts; echo "$name"; done`)
	if asNobody {
		child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	questions, err := child.StdinPipe()
	if err != nil {
		return err
	}
	pipe, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, questions.Close(), child.Wait()) }()
	answers := bufio.NewScanner(pipe)
	sees := func() (string, error) {
		if _, err := io.WriteString(questions, "\n"); err != nil {
			return "", err
		}
		if !answers.Scan() {
			return "", errors.Join(io.ErrUnexpectedEOF, answers.Err())
		}
		return answers.Text() + "\n", nil
	}
	for i := range 20 {
		for { // until the cover is back, or the test's time is over
			seen, err := sees()
			if err != nil {
				return fmt.Errorf("after %d replacements: %w", i, err)
			}
			if seen == privateContent {
				break
			}
		}
		outside, err := os.ReadFile("/etc/hosts")
		if err != nil {
			return err
		}
		if string(outside) != machineContent {
			return fmt.Errorf("outside: %q", outside)
		}
		next := filepath.Join("/etc", "hosts~")
		if err := os.WriteFile(next, []byte(machineContent), 0o644); err != nil {
			return err
		}
		target := filepath.Join("/etc", file[len(etc):])
		if i%2 == 0 {
			err = os.Rename(next, target)
		} else { // as hostsfile.File does
			err = errors.Join(unix.Renameat2(unix.AT_FDCWD, next, unix.AT_FDCWD, target, unix.RENAME_EXCHANGE), os.Remove(next))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
