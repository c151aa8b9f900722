package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// kernelTunables are the machine's settings that the kubelet insists on and
// would change for the whole host. It is shown files with the values it wants
// instead, so that it finds nothing to change.
var kernelTunables = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// mountAll turns the copy of the host's mounts that a new mount namespace starts
// with into the node's own file tree.
func mountAll(setup Setup) error {
	// Opened before anything is hidden: the cluster's directory may well lie
	// under /run, /tmp or /var itself.
	home, err := openPath(setup.Directory)
	if err != nil {
		return fmt.Errorf("open cluster directory: %w", err)
	}
	defer syscall.Close(home)
	programs := make(map[string]int, len(setup.Programs))
	for name, path := range setup.Programs {
		fd, err := openPath(path)
		if err != nil {
			return fmt.Errorf("open program %s: %w", name, err)
		}
		defer syscall.Close(fd)
		programs[name] = fd
	}

	// Slave: the host's unmounts still reach us, so that we never keep a disk
	// busy, and none of our mounts reaches the host.
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_SLAVE, ""); err != nil {
		return err
	}
	if err := mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return err
	}
	for dir, mode := range map[string]string{"/run": "mode=0755", "/tmp": "mode=1777"} {
		if err := mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, mode); err != nil {
			return err
		}
	}
	if err := bindDirectory(home, Home); err != nil {
		return err
	}
	for name, fd := range programs {
		if err := bindFile(fd, filepath.Join("/run/bin", name)); err != nil {
			return err
		}
	}
	if err := hideTunables(); err != nil {
		return err
	}
	if err := mount(Home+"/var", "/var", "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	// What is left of the host's root can be read, not written: no component
	// leaves a trace on the machine, whatever its habits.
	if err := mount("", "/", "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		return err
	}
	// Shared among ourselves: volumes that the kubelet mounts must appear in
	// containers. Last, so that the binds above do not copy each other's mounts.
	return mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, "")
}

func hideTunables() error {
	for name, value := range kernelTunables {
		real := filepath.Join("/proc/sys", name)
		if _, err := os.Stat(real); errors.Is(err, fs.ErrNotExist) {
			continue // this kernel does not know it
		}
		shown := filepath.Join("/run/sysctl", name)
		if err := os.MkdirAll(filepath.Dir(shown), 0o755); err != nil {
			return fmt.Errorf("hide %s: %w", real, err)
		}
		if err := os.WriteFile(shown, []byte(value+"\n"), 0o644); err != nil {
			return fmt.Errorf("hide %s: %w", real, err)
		}
		if err := mount(shown, real, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

func openPath(path string) (int, error) {
	const oPath = 0x200000 // O_PATH: a handle on the place, whatever is mounted over it later
	fd, err := syscall.Open(path, oPath|syscall.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

func bindDirectory(fd int, target string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return fmt.Errorf("bind directory: %w", err)
	}
	return mount(descriptor(fd), target, "", syscall.MS_BIND, "")
}

func bindFile(fd int, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("bind file: %w", err)
	}
	if err := os.WriteFile(target, nil, 0o755); err != nil {
		return fmt.Errorf("bind file: %w", err)
	}
	return mount(descriptor(fd), target, "", syscall.MS_BIND, "")
}

func descriptor(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}
