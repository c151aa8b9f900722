package view

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// cover is a file that is to be seen in the place of another. Later somebody outside may
// put a new file in the place of either; the kernel then takes the cover away here, or
// what it shows is old.
type cover struct {
	from, at string
	// below: there is something of ours to mount over below the cover. That is what it has
	// to be mounted over again, since nothing goes over a file that somebody has removed.
	below bool
}

// mount mounts the cover, unless it is there.
func (c cover) mount() error {
	target, err := filepath.EvalSymlinks(c.at)
	if err != nil {
		return fmt.Errorf("find file to cover: %w", err)
	}
	shown, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("find file to cover: %w", err)
	}
	wanted, err := os.Stat(c.from)
	if err != nil {
		return fmt.Errorf("find file to show: %w", err)
	}
	if os.SameFile(shown, wanted) {
		return nil
	}
	if c.below {
		_ = unix.Unmount(target, unix.MNT_DETACH) // it may have been taken away before
	}
	if err := unix.Mount(c.from, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s over %s: %w", c.from, target, err)
	}
	return nil
}

// watch tells of files that come, go or are renamed in directories. It lasts as long as the
// process.
func watch(dirs []string) <-chan struct{} {
	if len(dirs) == 0 {
		return nil
	}
	moved := make(chan struct{}, 1)
	next := func() bool { // where all watches are in use, as with some editors open
		time.Sleep(time.Second)
		return true
	}
	if events, err := eventsOf(dirs); err == nil {
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

func eventsOf(dirs []string) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	for _, dir := range dirs {
		if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_DELETE|unix.IN_MOVE); err != nil {
			return nil, errors.Join(os.NewSyscallError("inotify_add_watch", err), events.Close())
		}
	}
	return events, nil
}

// hostsDirs are the directories of the hosts file and of what it links to.
func hostsDirs() []string {
	dirs := []string{filepath.Dir(SystemHosts)}
	if target, err := filepath.EvalSymlinks(SystemHosts); err == nil {
		dirs = append(dirs, filepath.Dir(target))
	}
	return dirs
}
