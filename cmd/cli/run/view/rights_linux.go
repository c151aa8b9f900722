package view

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Attributes make a child with a view of its own of the file system, in which it
// may mount. Where this process may not mount itself, that takes a user
// namespace as well. In that the child is the same user and group and may do no
// more than mount; groups beside them keep their effect but read as nogroup,
// files of other users as nobody's, and set-user-ID programs (sudo) are without
// effect. Root without the right to mount is root in that namespace alone.
func Attributes() (attributes *syscall.SysProcAttr, user bool) {
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
