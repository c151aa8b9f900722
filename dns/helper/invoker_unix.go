//go:build unix

package helper

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// User is the user behind sudo.
type User struct {
	UID, GID   int
	Groups     []int // all of them
	Name, Home string
}

// Invoker returns the user for whom sudo has started this process with root's
// rights; nil if it has none, or if nobody but root stands behind it.
func Invoker() (*User, error) {
	if os.Geteuid() != 0 || os.Getenv("SUDO_UID") == "" || os.Getenv("SUDO_UID") == "0" {
		return nil, nil
	}
	u, err := lookUp(os.Getenv("SUDO_UID"))
	if err != nil {
		return nil, fmt.Errorf("find the user behind sudo: %w", err)
	}
	return u, nil
}

// lookUp asks the system's databases through getent and id: os/user reads only
// /etc/passwd and /etc/group in a binary without cgo, and would miss a company's
// directory and half of a user's groups.
func lookUp(uid string) (*User, error) {
	number, err := strconv.Atoi(uid)
	if err != nil {
		return nil, fmt.Errorf("user id %q is not a number", uid)
	}
	u := &User{UID: number}
	if line, err := output("getent", "passwd", uid); err == nil {
		const name, gid, home, fields = 0, 3, 5, 7
		field := strings.Split(line, ":")
		if len(field) != fields {
			return nil, fmt.Errorf("getent passwd %s: it said %q", uid, line)
		}
		u.Name, u.Home = field[name], field[home]
		if u.GID, err = strconv.Atoi(field[gid]); err != nil {
			return nil, fmt.Errorf("getent passwd %s: it said %q", uid, line)
		}
	} else { // macOS, where os/user asks the directory service
		found, err := user.LookupId(uid)
		if err != nil {
			return nil, err
		}
		u.Name, u.Home = found.Username, found.HomeDir
		if u.GID, err = strconv.Atoi(found.Gid); err != nil {
			return nil, err
		}
	}
	groups, err := output("id", "-G", u.Name)
	if err != nil {
		return nil, err
	}
	for _, word := range strings.Fields(groups) {
		group, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("id -G %s: it said %q", u.Name, groups)
		}
		u.Groups = append(u.Groups, group)
	}
	return u, nil
}

// output is what a program of the system says, which is one line. It is looked
// for where only root can have put it.
func output(program string, args ...string) (string, error) {
	for _, directory := range []string{"/usr/bin", "/bin", "/run/current-system/sw/bin"} {
		path := filepath.Join(directory, program)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		out, err := exec.Command(path, args...).Output()
		if err != nil {
			return "", fmt.Errorf("run %s %s: %w", program, strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(out)), nil
	}
	return "", fmt.Errorf("run %s: %w", program, exec.ErrNotFound)
}

// Become makes this process the user's for good: groups, user and environment.
// Nothing of root's can be had back. The same program begins anew, so that nothing
// it holds dates from before; Become returns only errors. The new one finds helper
// by Inherited, if there is one.
func (u *User) Become(helper *Started) error {
	if err := u.set(); err != nil {
		return fmt.Errorf("become user %s: %w", u.Name, err)
	}
	if err := u.setEnvironment(); err != nil {
		return fmt.Errorf("become user %s: %w", u.Name, err)
	}
	if helper != nil {
		if err := os.Setenv(environmentVariable, helper.environmentValue()); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	err = syscall.Exec(self, os.Args, os.Environ())
	if runtime.GOOS == "linux" { // the user may not be allowed where it lies
		err = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
	return fmt.Errorf("begin anew as user %s: %w", u.Name, err)
}

// set makes the process the user's. Each call acts on all threads; with root's
// rights setgid and setuid set the real, the effective and the saved id.
func (u *User) set() error {
	if err := syscall.Setgroups(u.Groups); err != nil {
		return err
	}
	if err := syscall.Setgid(u.GID); err != nil {
		return err
	}
	if err := syscall.Setuid(u.UID); err != nil {
		return err
	}
	if syscall.Setuid(0) == nil || os.Getuid() != u.UID || os.Geteuid() != u.UID {
		return errors.New("the system let it be root again")
	}
	return nil
}

// setEnvironment sets what sudo has set for root, and what it has taken away and
// can be told for certain.
func (u *User) setEnvironment() error {
	errs := []error{os.Setenv("HOME", u.Home), os.Setenv("USER", u.Name), os.Setenv("LOGNAME", u.Name)}
	for _, name := range []string{"SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND", "SUDO_HOME"} {
		errs = append(errs, os.Unsetenv(name))
	}
	own := fmt.Sprintf("/run/user/%d", u.UID)
	if info, err := os.Stat(own); err == nil && info.IsDir() {
		errs = append(errs, os.Setenv("XDG_RUNTIME_DIR", cmp.Or(os.Getenv("XDG_RUNTIME_DIR"), own)))
	}
	return errors.Join(errs...)
}
