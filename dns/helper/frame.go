package helper

import (
	"encoding/binary"
	"fmt"
	"io"
)

// A message is one frame: four bytes with the length of what follows, most
// significant first, and as many bytes of JSON. An answer's frame may carry one
// descriptor, which the kernel hands over with its first byte.
const (
	headerLen = 4       // bytes
	maxFrame  = 8 << 20 // bytes; 500 services with their names take 150 KB
)

// newFrame puts the header before message.
func newFrame(message []byte) ([]byte, error) {
	if len(message) > maxFrame {
		return nil, fmt.Errorf("message of %d bytes is longer than %d", len(message), maxFrame)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...), nil
}

// readFrame reads the rest of a frame whose header has come.
func readFrame(from io.Reader, header [headerLen]byte) ([]byte, error) {
	size := binary.BigEndian.Uint32(header[:])
	if size > maxFrame {
		return nil, fmt.Errorf("message of %d bytes is longer than %d", size, maxFrame)
	}
	// What was announced is not believed before it has come: the buffer grows with it.
	message, err := io.ReadAll(io.LimitReader(from, int64(size)))
	if err == nil && len(message) < int(size) {
		err = io.ErrUnexpectedEOF
	}
	return message, err
}
