//go:build unix

package helper

import (
	"errors"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// send writes a frame, and with its first byte hands over socket, if there is one.
func send(conn *net.UnixConn, frame []byte, socket *os.File) error {
	var rights []byte
	if socket != nil {
		rights = unix.UnixRights(int(socket.Fd()))
	}
	n, _, err := conn.WriteMsgUnix(frame, rights, nil)
	if err == nil && n < len(frame) {
		_, err = conn.Write(frame[n:])
	}
	return err
}

// receiveHeader reads a frame's header and the descriptor that came with it. The
// caller owns the file; more than one descriptor is an error.
func receiveHeader(conn *net.UnixConn) (header [headerLen]byte, socket *os.File, err error) {
	control := make([]byte, unix.CmsgSpace(2*4)) // two descriptors: one too many
	n, controlLen, flags, _, err := conn.ReadMsgUnix(header[:], control)
	files := descriptors(control[:max(controlLen, 0)])
	if len(files) > 0 {
		socket = files[0]
	}
	switch {
	case err == nil && n == 0:
		err = io.EOF
	case len(files) > 1 || flags&unix.MSG_CTRUNC != 0:
		err = errors.New("more than one descriptor came with a message")
	case err == nil:
		_, err = io.ReadFull(conn, header[n:])
	}
	if err != nil {
		for _, file := range files {
			file.Close()
		}
		return header, nil, err
	}
	return header, socket, nil
}

func descriptors(control []byte) (files []*os.File) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for _, message := range messages {
		numbers, err := unix.ParseUnixRights(&message)
		if err != nil {
			continue
		}
		for _, number := range numbers {
			unix.CloseOnExec(number) // Linux has done so already
			files = append(files, os.NewFile(uintptr(number), "handed over"))
		}
	}
	return files
}
