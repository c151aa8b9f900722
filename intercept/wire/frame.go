package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxFrame bounds, in bytes, the JSON of a frame. A hello has a claim's rule.
const maxFrame = 32 << 10

// errTooLong refuses a frame of more than maxFrame bytes.
var errTooLong = errors.New("frame too long")

// writeFrame sends v as JSON behind prefix and its length (two bytes, big-endian).
func writeFrame(w io.Writer, prefix string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	if len(body) > maxFrame {
		return errTooLong
	}
	frame := append([]byte(prefix), 0, 0)
	binary.BigEndian.PutUint16(frame[len(prefix):], uint16(len(body)))
	_, err = w.Write(append(frame, body...))
	return err
}

// readFrame reads into v what writeFrame sent. It reads no byte beyond the frame.
func readFrame(r io.Reader, v any) error {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return err
	}
	length := binary.BigEndian.Uint16(size[:])
	if length > maxFrame {
		return errTooLong
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return noEOF(err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("decode frame: %w", err)
	}
	return nil
}

// noEOF turns an end that comes too early into the error that it is.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
