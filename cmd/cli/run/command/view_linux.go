package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const systemHosts = "/etc/hosts"

// ownMounts makes a child with a view of its own of the file system, in which it
// may mount. Where this process may not mount itself, that takes a user
// namespace as well. In that the child is the same user and group and may do no
// more than mount; groups beside them keep their effect but read as nogroup,
// files of other users as nobody's, and set-user-ID programs (sudo) are without
// effect. Root without the right to mount is root in that namespace alone.
func ownMounts() (attributes *syscall.SysProcAttr, user bool) {
	attributes = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if capable(unix.CAP_SYS_ADMIN) {
		return attributes, false
	}
	attributes.Cloneflags |= unix.CLONE_NEWUSER
	attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
	attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	attributes.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN} // survives the execution of the keeper
	return attributes, true
}

// show covers the system's hosts file with the one at path, here and in all that
// this process starts. Later somebody outside may put a new file in its place;
// the kernel then takes the cover away here, and moved says that it is time to
// call cover again.
func show(path string, user bool) (moved <-chan struct{}, err error) {
	// What is mounted outside later shall be seen here, but not the reverse.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return nil, fmt.Errorf("detach mounts: %w", err)
	}
	moved = watchHosts()
	if err := cover(path); err != nil {
		return nil, err
	}
	if user {
		if err := keepRights(); err != nil {
			return nil, fmt.Errorf("drop capabilities: %w", err)
		}
	}
	return moved, nil
}

// cover mounts the file at path over the system's hosts file, unless it is there.
func cover(path string) error {
	target, err := filepath.EvalSymlinks(systemHosts)
	if err != nil {
		return fmt.Errorf("find hosts file: %w", err)
	}
	shown, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("find hosts file: %w", err)
	}
	wanted, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("find private hosts file: %w", err)
	}
	if os.SameFile(shown, wanted) {
		return nil
	}
	if err := unix.Mount(path, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s over %s: %w", path, target, err)
	}
	return nil
}

// watchHosts tells of files that come, go or are renamed in the directories of
// the hosts file and of what it links to. It lasts as long as the process.
func watchHosts() <-chan struct{} {
	moved := make(chan struct{}, 1)
	next := func() bool { // where all watches are in use, as with some editors open
		time.Sleep(time.Second)
		return true
	}
	if events, err := hostsEvents(); err == nil {
		buffer := make([]byte, 16*(unix.SizeofInotifyEvent+unix.NAME_MAX+1))
		next = func() bool {
			_, err := events.Read(buffer)
			return err == nil
		}
	}
	go func() {
		for next() {
			select {
			case moved <- struct{}{}:
			default: // one is waiting
			}
		}
	}()
	return moved
}

func hostsEvents() (*os.File, error) {
	target, err := filepath.EvalSymlinks(systemHosts)
	if err != nil {
		return nil, err
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	for _, dir := range []string{filepath.Dir(systemHosts), filepath.Dir(target)} {
		if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_DELETE|unix.IN_MOVE); err != nil {
			return nil, errors.Join(os.NewSyscallError("inotify_add_watch", err), events.Close())
		}
	}
	return events, nil
}

func capable(capability uint) bool {
	data, err := capabilities()
	return err == nil && data[capability/32].Effective&(1<<(capability%32)) != 0
}

// keepRights keeps this thread's capabilities from the programs that it starts;
// the kernel clears the ambient ones along.
func keepRights() error {
	data, err := capabilities()
	if err != nil {
		return err
	}
	for i := range data {
		data[i].Inheritable = 0
	}
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
}

// capabilities are this thread's.
func capabilities() (data [2]unix.CapUserData, err error) {
	err = unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
	return data, err
}
