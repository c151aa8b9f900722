package helper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// door is the private socket through which one peer comes in. It lies in a
// directory of the helper's own, so that nobody can put another in its place, and
// belongs to the peer's user alone. It is gone as soon as the peer is in.
type door struct {
	directory string
	listener  *net.UnixListener
}

const (
	doorPrefix = "devtun-helper-"
	doorName   = "socket"

	// doorTime is how long a directory may be without its socket: a helper that is
	// killed between the two leaves it so.
	doorTime = 10 * time.Second
)

// openDoor makes the socket for the user uid below the directory parent.
func openDoor(parent string, uid int) (*door, error) {
	directory, err := os.MkdirTemp(parent, doorPrefix)
	if err != nil {
		return nil, err
	}
	d := &door{directory: directory}
	if err := d.listen(uid); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *door) listen(uid int) (err error) {
	d.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: d.path(), Net: "unix"})
	if err != nil {
		return err
	}
	// Until the directory opens nobody else gets at the socket.
	return errors.Join(os.Chmod(d.path(), 0o600), os.Chown(d.path(), uid, -1), os.Chmod(d.directory, 0o711))
}

func (d *door) path() string { return filepath.Join(d.directory, doorName) }

// admit waits until the user uid comes, and turns away everybody else.
func (d *door) admit(ctx context.Context, uid int) (*net.UnixConn, peer, error) {
	stop := context.AfterFunc(ctx, func() { d.listener.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var turned error
	for {
		conn, err := d.listener.AcceptUnix()
		if err != nil {
			return nil, peer{}, errors.Join(fmt.Errorf("wait for the program: %w", err), turned)
		}
		p, err := checkPeer(conn, uid)
		if err == nil {
			return conn, p, nil
		}
		turned = err
		conn.Close()
	}
}

func (d *door) close() error {
	var err error
	if d.listener != nil {
		err = d.listener.Close()
	}
	return errors.Join(err, os.RemoveAll(d.directory))
}

// sweep removes the doors of helpers that were killed before their peer came.
func sweep(parent string) {
	directories, _ := filepath.Glob(filepath.Join(parent, doorPrefix+"*"))
	for _, directory := range directories {
		conn, err := net.DialTimeout("unix", filepath.Join(directory, doorName), time.Second)
		if err == nil {
			conn.Close() // its helper turns this process away, or takes it for gone
			continue
		}
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) && olderThan(directory, doorTime) {
			os.RemoveAll(directory)
		}
	}
}

func olderThan(path string, age time.Duration) bool {
	info, err := os.Stat(path)
	return err == nil && time.Since(info.ModTime()) > age
}
