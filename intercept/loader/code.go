package loader

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// line is an instruction, or a place among them.
type line struct {
	// code has the instruction's bytes in hexadecimal digits, two for a byte or eight for a
	// word. Where it names a place, how that is put in comes last, as links calls it. A line
	// without code is a place.
	code string
	// text is the instruction as an assembler has it. The place that it names is its last
	// word; that of a line without code ends with a colon.
	text string
}

// text is a string behind the code, which ends with a zero byte.
type text struct{ label, value string }

// listing is code that is complete.
type listing struct {
	code   []byte
	starts []uint64          // of each instruction; a line that is a place has the next one's
	labels map[string]uint64 // addresses of places and texts
}

// links are the ways to put the distance to a place, or its address, into the
// instruction before. An error is none that fits.
var links = map[string]struct {
	size int // bytes behind those of the instruction
	put  func(instruction []byte, at, to uint64) bool
}{
	// amd64: distances are counted from the end of the instruction.
	"rel8": {1, func(b []byte, at, to uint64) bool {
		distance := int64(to - at - uint64(len(b)))
		b[len(b)-1] = byte(distance)
		return distance == int64(int8(distance))
	}},
	"rel32": {4, func(b []byte, at, to uint64) bool {
		distance := int64(to - at - uint64(len(b)))
		binary.LittleEndian.PutUint32(b[len(b)-4:], uint32(distance))
		return distance == int64(int32(distance))
	}},
	"abs32": {4, func(b []byte, _, to uint64) bool {
		binary.LittleEndian.PutUint32(b[len(b)-4:], uint32(to))
		return to == uint64(uint32(to))
	}},
	// arm64: distances are counted from the instruction, in words but for an address.
	"imm14": {0, words(14, 5)},
	"imm19": {0, words(19, 5)},
	"imm26": {0, words(26, 0)},
	"imm21": {0, func(b []byte, at, to uint64) bool {
		distance := int64(to - at)
		or(b, uint32(distance&3)<<29|uint32(distance>>2&(1<<19-1))<<5)
		return distance == distance<<43>>43
	}},
}

// words puts a distance in words into so many bits from one on.
func words(bits, from uint) func(instruction []byte, at, to uint64) bool {
	return func(b []byte, at, to uint64) bool {
		distance := int64(to-at) / 4
		or(b, uint32(distance)&(1<<bits-1)<<from)
		return distance == distance<<(64-bits)>>(64-bits)
	}
}

func or(word []byte, bits uint32) {
	binary.LittleEndian.PutUint32(word, binary.LittleEndian.Uint32(word)|bits)
}

// assemble puts lines and texts behind each other, from an address on.
func assemble(origin uint64, lines []line, texts []text) (*listing, error) {
	l := &listing{labels: make(map[string]uint64)}
	for _, line := range lines {
		l.starts = append(l.starts, origin+uint64(len(l.code)))
		if line.code == "" {
			l.labels[strings.TrimSuffix(line.text, ":")] = origin + uint64(len(l.code))
			continue
		}
		code, err := line.bytes()
		if err != nil {
			return nil, fmt.Errorf("assemble %q: %w", line.text, err)
		}
		l.code = append(l.code, code...)
	}
	end := uint64(len(l.code))
	for _, text := range texts {
		l.labels[text.label] = origin + uint64(len(l.code))
		l.code = append(append(l.code, text.value...), 0)
	}
	for i, line := range lines {
		fields := strings.Fields(line.code)
		if len(fields) == 0 {
			continue
		}
		link, found := links[fields[len(fields)-1]]
		if !found {
			continue
		}
		next := origin + end
		if i+1 < len(lines) {
			next = l.starts[i+1]
		}
		to, found := l.labels[line.target()]
		if !found || !link.put(l.code[l.starts[i]-origin:next-origin], l.starts[i], to) {
			return nil, fmt.Errorf("assemble %q: no such place in reach", line.text)
		}
	}
	return l, nil
}

// target is the place that a line names.
func (l line) target() string { return l.text[strings.LastIndexByte(l.text, ' ')+1:] }

// bytes are the instruction's, with zeros for what is linked.
func (l line) bytes() (code []byte, err error) {
	for field := range strings.FieldsSeq(l.code) {
		if link, found := links[field]; found {
			code = append(code, make([]byte, link.size)...)
			continue
		}
		part, err := hex.DecodeString(field)
		if err != nil {
			return nil, err
		}
		if len(part) == 4 {
			part = binary.LittleEndian.AppendUint32(nil, binary.BigEndian.Uint32(part))
		}
		code = append(code, part...)
	}
	return code, nil
}
