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

// privateSocket is where one peer connects. It lies in a
// directory of the helper's own, so that nobody can put another in its place, and
// belongs to the peer's user alone. It is gone as soon as the peer is in.
type privateSocket struct {
	directory string
	listener  *net.UnixListener
}

const (
	socketPrefix = "devtun-helper-"
	socketName   = "socket"

	// socketGrace is how long a directory may be without its socket: a helper that is
	// killed between the two leaves it so.
	socketGrace = 10 * time.Second
)

// openSocket makes the socket for the user uid below the directory parent.
func openSocket(parent string, uid int) (*privateSocket, error) {
	directory, err := os.MkdirTemp(parent, socketPrefix)
	if err != nil {
		return nil, err
	}
	s := &privateSocket{directory: directory}
	if err := s.listen(uid); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *privateSocket) listen(uid int) (err error) {
	s.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: s.path(), Net: "unix"})
	if err != nil {
		return err
	}
	// Until the directory opens nobody else gets at the socket.
	return errors.Join(os.Chmod(s.path(), 0o600), os.Chown(s.path(), uid, -1), os.Chmod(s.directory, 0o711))
}

func (s *privateSocket) path() string { return filepath.Join(s.directory, socketName) }

// accept waits until the user uid comes, and turns away everybody else.
func (s *privateSocket) accept(ctx context.Context, uid int) (*net.UnixConn, peer, error) {
	stop := context.AfterFunc(ctx, func() { s.listener.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var rejected error
	for {
		conn, err := s.listener.AcceptUnix()
		if err != nil {
			return nil, peer{}, errors.Join(fmt.Errorf("wait for the program: %w", err), rejected)
		}
		p, err := checkPeer(conn, uid)
		if err == nil {
			return conn, p, nil
		}
		rejected = err
		conn.Close()
	}
}

func (s *privateSocket) close() error {
	var err error
	if s.listener != nil {
		err = s.listener.Close()
	}
	return errors.Join(err, os.RemoveAll(s.directory))
}

// removeStaleSockets removes the sockets of helpers that were killed before their peer
// came.
func removeStaleSockets(parent string) {
	directories, _ := filepath.Glob(filepath.Join(parent, socketPrefix+"*"))
	for _, directory := range directories {
		conn, err := net.DialTimeout("unix", filepath.Join(directory, socketName), time.Second)
		if err == nil {
			conn.Close() // its helper turns this process away, or takes it for gone
			continue
		}
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) && olderThan(directory, socketGrace) {
			_ = os.RemoveAll(directory) // the next helper tries again
		}
	}
}

func olderThan(path string, age time.Duration) bool {
	info, err := os.Stat(path)
	return err == nil && time.Since(info.ModTime()) > age
}
