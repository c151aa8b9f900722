package command

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/cmd/cli/run/view"
)

func TestForbidder(t *testing.T) {
	for want, c := range map[string]struct {
		settings string
		errno    syscall.Errno
		user     bool
	}{
		"kernel.unprivileged_userns_clone=0": {"kernel.unprivileged_userns_clone=0 user.max_user_namespaces=9",
			syscall.EPERM, true},
		"user.max_user_namespaces=0": {"kernel.unprivileged_userns_clone=1 user.max_user_namespaces=0",
			syscall.ENOSPC, true},
		"kernel.apparmor_restrict_unprivileged_userns=1": {"kernel.apparmor_restrict_unprivileged_userns=1", syscall.EACCES,
			true},
		"user.max_mnt_namespaces=0": {"user.max_mnt_namespaces=0 " +
			"user.max_user_namespaces=0", syscall.ENOSPC, false},
		"the kernel or a container's profile (seccomp, AppArmor)": {"user.max_user_namespaces=9 " +
			"kernel.apparmor_restrict_unprivileged_userns=0", syscall.EPERM, true},
		"user.max_user_namespaces or user.max_mnt_namespaces, of which all are in use": {"user.max_user_namespaces=9",
			syscall.ENOSPC, true},
		"the kernel's limit on user namespaces within each other": {"", syscall.EUSERS, true},
	} {
		setting := func(name string) string {
			for _, word := range strings.Fields(c.settings) {
				if key, value, _ := strings.Cut(word, "="); key == name {
					return value
				}
			}
			return ""
		}
		require.Equal(t, want, forbidder(c.errno, c.user, setting))
	}
	require.NotEmpty(t, sysctl("kernel.pid_max"))
	require.Empty(t, sysctl("kernel.nosuchsetting_"))
}

// TestNamespacesForbidden is the real thing, see limited.
func TestNamespacesForbidden(t *testing.T) {
	r := limited(t, "max_user_namespaces", privateFile(t), "echo", "must not run")
	r.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_RESOURCE} // to set the limit
	r.start()
	r.expect("forbidden by user.max_user_namespaces=0")
	require.Contains(t, r.line(), "no space left on device")
	require.Equal(t, 99, r.code())
}

func TestWatchesForbidden(t *testing.T) {
	r := limited(t, "max_inotify_instances", privateFile(t), "cat", view.SystemHosts)
	r.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_RESOURCE, unix.CAP_SYS_ADMIN}
	r.start()
	r.expect("127.1.2.3 api.shop")
	require.Zero(t, r.code())
}

// limited is a runner in a user namespace whose own limit on something is set to
// none, which is nobody else's.
func limited(t *testing.T, limit string, args ...string) *runner {
	t.Helper()
	r := newRunner(t, "")
	r.Args = append([]string{self, "role:limit", limit}, args...)
	r.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 65534, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 65534, HostID: os.Getegid(), Size: 1}},
	}
	return r
}

// limitRole sets the limit args[0] to none and then is a runRole. It writes to
// nothing but a namespace's own file, and in the first one not even that.
func limitRole(args []string) int {
	space, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || strings.Fields(string(space))[0] != "65534" {
		fmt.Println("not in a namespace of the test's:", string(space), err)
		return 1
	}
	if err := os.WriteFile("/proc/sys/user/"+args[0], []byte("0"), 0); err != nil {
		fmt.Println("set limit:", err)
		return 1
	}
	return runRole(args[1:])
}

// TestMountsForbidden has the kernel allow namespaces but not the mount in them,
// as Ubuntu's AppArmor does; here a seccomp filter denies it.
func TestMountsForbidden(t *testing.T) {
	r := newRunner(t, "")
	r.Args = []string{self, "role:filter", privateFile(t), "echo", "must not run"}
	r.asNobody().start()
	r.expect("forbidden by " + forbidder(syscall.EACCES, true, sysctl))
	require.Contains(t, r.line(), "permission denied")
	require.Equal(t, 99, r.code())
}

// filterRole makes mount(2) fail in this process and all that it starts.
func filterRole(args []string) int {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_MOUNT, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err == nil {
		_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
			uintptr(unsafe.Pointer(&program)))
		if errno != 0 {
			err = errno
		}
	}
	if err != nil {
		fmt.Println("filter calls:", err)
		return 1
	}
	return runRole(args)
}

func TestForbiddenErrorIsOnlyWhatItSays(t *testing.T) {
	var forbids *ForbiddenError
	require.ErrorAs(t, forbidden(&os.PathError{Op: "fork/exec", Err: syscall.EPERM}, true), &forbids)
	require.ErrorIs(t, forbids, syscall.EPERM)
	for _, other := range []error{syscall.EAGAIN, syscall.ENOMEM, exec.ErrNotFound, errors.New("else")} {
		err := forbidden(other, true)
		require.ErrorIs(t, err, other)
		require.NotErrorAs(t, err, &forbids)
	}
}
