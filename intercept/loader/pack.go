package loader

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pierrec/lz4/v4"
)

const (
	// sizeLength is the size of the program's size before the block, in bytes.
	sizeLength = 8

	// maxProgram is the size of the largest program that the loader unpacks, in bytes.
	maxProgram = 1 << 28
)

// ErrDamaged is the reason of packed bytes that no program was packed to.
var ErrDamaged = errors.New("the program's parts are damaged")

// Pack makes of a program what the loader unpacks: the program's size, and one block of
// LZ4 (github.com/lz4/lz4, doc/lz4_Block_format.md). The same program gives the same bytes.
func Pack(program []byte) ([]byte, error) {
	if len(program) == 0 || len(program) > maxProgram {
		return nil, fmt.Errorf("pack program: it has %d bytes, not 1 to %d", len(program), maxProgram)
	}
	packed := make([]byte, sizeLength+lz4.CompressBlockBound(len(program)))
	binary.LittleEndian.PutUint64(packed, uint64(len(program)))
	size, err := lz4.CompressBlockHC(program, packed[sizeLength:], lz4.Level9, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("pack program: %w", err)
	}
	return packed[:sizeLength+size], nil
}

// Unpack is what the loader does. Its error is ErrDamaged.
func Unpack(packed []byte) ([]byte, error) {
	if len(packed) < sizeLength {
		return nil, fmt.Errorf("unpack program: %w", ErrDamaged)
	}
	size := binary.LittleEndian.Uint64(packed)
	if size == 0 || size > maxProgram {
		return nil, fmt.Errorf("unpack program: %w: it is said to have %d bytes", ErrDamaged, size)
	}
	program := make([]byte, size)
	if n, err := lz4.UncompressBlock(packed[sizeLength:], program); err != nil || uint64(n) != size {
		return nil, fmt.Errorf("unpack program: %w", ErrDamaged)
	}
	return program, nil
}
