package command

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// viewError is that a program could not be given a view of its own. user: that took a user
// namespace.
type viewError struct {
	err  error
	user bool
}

func (e *viewError) Error() string { return e.err.Error() }

// forbidden makes a *ForbiddenError of an error that says that namespaces or
// mounts are not allowed. user: a user namespace was asked for.
func forbidden(err error, user bool) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) || !slices.Contains([]syscall.Errno{
		syscall.EPERM, syscall.EACCES, syscall.ENOSPC, syscall.EUSERS, syscall.EINVAL, syscall.ENOSYS,
	}, errno) {
		return fmt.Errorf("give the program a hosts file of its own: %w", err)
	}
	return &ForbiddenError{By: forbidder(errno, user, sysctl), Err: err}
}

// sysctl is the value of a kernel setting, "" where there is none.
func sysctl(name string) string {
	value, _ := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	return strings.TrimSpace(string(value))
}

// forbidder is what forbids namespaces, given the error of the attempt.
func forbidder(errno syscall.Errno, user bool, setting func(name string) string) string {
	denials := []struct{ name, value string }{{"user.max_mnt_namespaces", "0"}}
	if user {
		denials = append(denials, []struct{ name, value string }{
			{"kernel.unprivileged_userns_clone", "0"},             // Debian's kernels
			{"user.max_user_namespaces", "0"},                     // all
			{"kernel.apparmor_restrict_unprivileged_userns", "1"}, // Ubuntu's
		}...)
	}
	for _, denial := range denials {
		if setting(denial.name) == denial.value {
			return denial.name + "=" + denial.value
		}
	}
	switch errno {
	case syscall.ENOSPC:
		return "user.max_user_namespaces or user.max_mnt_namespaces, of which all are in use"
	case syscall.EUSERS:
		return "the kernel's limit on user namespaces within each other"
	}
	return "the kernel or a container's profile (seccomp, AppArmor)"
}
