package mux

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Frames of SPDY/3.1, as far as a port-forward has them: those of SPDY/3
// (draft-mbelshe-httpbis-spdy-00, section 2.2). All numbers are big-endian.

// streamID names a stream; it has 31 bits.
type streamID uint32

// maxStreamID is the last one.
const maxStreamID streamID = 1<<31 - 1

// frameKind tells control frames apart.
type frameKind uint16

const (
	synStream frameKind = 1
	synReply  frameKind = 2
	rstStream frameKind = 3
	ping      frameKind = 6
	goAway    frameKind = 7
)

const (
	// frameHeader is the length of a frame's header in bytes: 32 bits of a stream's
	// identifier, or of a set control bit, version and kind; 8 of flags, 24 of length.
	frameHeader = 8
	controlBit  = 1 << 31
	version     = 3

	// maxPayload is the most bytes that a frame has after its header.
	maxPayload = 1<<24 - 1

	// flagFin, in a frame of a stream, is the end of what its sender says.
	flagFin = 0x01

	// cancel is the status of a reset: the stream is not needed any more.
	cancel = 5
)

// writeData writes a data frame.
func writeData(w *bufio.Writer, id streamID, flags byte, data []byte) error {
	if len(data) > maxPayload {
		return fmt.Errorf("a frame of %d bytes is too long", len(data))
	}
	writeHeader(w, uint32(id), flags, len(data))
	_, err := w.Write(data) // the writer remembers an error of the header
	return err
}

// writeControl writes a control frame of such numbers and bytes.
func writeControl(w *bufio.Writer, kind frameKind, flags byte, numbers []uint32, more []byte) error {
	writeHeader(w, controlBit|version<<16|uint32(kind), flags, 4*len(numbers)+len(more))
	payload := w.AvailableBuffer()
	for _, number := range numbers {
		payload = binary.BigEndian.AppendUint32(payload, number)
	}
	_, err := w.Write(append(payload, more...))
	return err
}

func writeHeader(w *bufio.Writer, first uint32, flags byte, length int) {
	header := binary.BigEndian.AppendUint32(w.AvailableBuffer(), first)
	_, _ = w.Write(binary.BigEndian.AppendUint32(header, uint32(flags)<<24|uint32(length)))
}

// headerBlocks writes the headers of frames: one zlib stream (RFC 1950) for all of a
// connection's, cut after each. It does not compress, as that would take more time than
// everything else that a new stream takes here, and more memory (0.8 MB) than all else that
// a connection has: blocks are stored (RFC 1951, section 3.2.4), and an empty one lets the
// far side's decompressor tell what it has. The zero value has written nothing.
type headerBlocks struct{ begun bool }

const (
	// zlibHeader says that a dictionary is used, SPDY's, of that checksum: who reads
	// demands it.
	zlibHeader         = "\x78\x20"
	dictionaryChecksum = 0xe3c6a7c2

	maxStored = 1<<16 - 1 // bytes in a stored block
)

// append appends headers to b.
func (h *headerBlocks) append(b []byte, headers http.Header) []byte {
	if !h.begun {
		h.begun = true
		b = binary.BigEndian.AppendUint32(append(b, zlibHeader...), dictionaryChecksum)
	}
	text := binary.BigEndian.AppendUint32(nil, uint32(len(headers)))
	for name, values := range headers {
		for _, part := range []string{strings.ToLower(name), strings.Join(values, "\x00")} {
			text = append(binary.BigEndian.AppendUint32(text, uint32(len(part))), part...)
		}
	}
	for part := range slices.Chunk(text, maxStored) {
		b = appendStored(b, part)
	}
	return appendStored(b, nil)
}

// appendStored appends a stored block that is not the last.
func appendStored(b, data []byte) []byte {
	b = binary.LittleEndian.AppendUint16(append(b, 0), uint16(len(data)))
	return append(binary.LittleEndian.AppendUint16(b, ^uint16(len(data))), data...)
}

// writeSynStream opens a stream.
func writeSynStream(w *bufio.Writer, blocks *headerBlocks, id streamID, opening Opening) error {
	var flags byte
	if opening.Ended {
		flags = flagFin
	}
	// The stream that it is associated with is none; priority and slot are 0.
	return writeControl(w, synStream, flags, []uint32{uint32(id), 0}, blocks.append([]byte{0, 0}, opening.Headers))
}

// writeReset gives a stream up.
func writeReset(w *bufio.Writer, id streamID) error {
	return writeControl(w, rstStream, 0, []uint32{uint32(id), cancel}, nil)
}

func writePing(w *bufio.Writer, id uint32) error {
	return writeControl(w, ping, 0, []uint32{id}, nil)
}
