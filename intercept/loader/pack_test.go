package loader

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// programs are contents of any kind: what repeats near and far, what does not, and the
// lengths about which LZ4 writes another byte.
func programs() [][]byte {
	random := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 200_000)
	_, _ = random.Read(noise) // never fails
	all := [][]byte{{0}, []byte("a"), []byte("program"), bytes.Repeat([]byte("ab"), 100_000),
		make([]byte, 1<<20), noise, append(noise[:70_000:70_000], noise[:70_000]...)}
	for _, length := range []int{14, 15, 16, 18, 19, 20, 269, 270, 271, 524, 525, 526} {
		all = append(all, noise[:length], append(make([]byte, length), noise[:20]...))
	}
	return all
}

func TestPackAndUnpack(t *testing.T) {
	for _, program := range programs() {
		packed, err := Pack(program)
		require.NoError(t, err)
		again, err := Pack(program)
		require.NoError(t, err)
		require.True(t, bytes.Equal(packed, again))
		unpacked, err := Unpack(packed)
		require.NoError(t, err)
		require.True(t, bytes.Equal(program, unpacked))
		modelled, ok := model(packed)
		require.True(t, ok)
		require.True(t, bytes.Equal(program, modelled))
	}
	_, err := Pack(nil)
	require.ErrorContains(t, err, "it has 0 bytes")
}

// sized is a block with another size before it.
func sized(size uint64, block []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, size), block...)
}

// damaged are packed programs with something wrong with each.
func damaged(t testing.TB, packed []byte) map[string][]byte {
	t.Helper()
	size, block := binary.LittleEndian.Uint64(packed), packed[sizeLength:]
	return map[string][]byte{
		"nothing":           {},
		"less than a size":  packed[:7],
		"no block":          packed[:8],
		"no end":            packed[:len(packed)-1],
		"half of it":        packed[:len(packed)/2],
		"too much":          append(packed[:len(packed):len(packed)], 0),
		"larger than said":  sized(size-1, block),
		"smaller than said": sized(size+1, block),
		"of no size":        sized(0, block),
		"of 2^28+1 bytes":   sized(maxProgram+1, block),
		"of 2^63 bytes":     sized(1<<63, block),
		"of 2^64-1 bytes":   sized(math.MaxUint64, block),
		// A literal, then a repetition from 0, and from 2 behind.
		"from where it goes": sized(10, []byte{0x10, 'a', 0, 0, 0x50, 'a', 'b', 'c', 'd', 'e'}),
		"from before it":     sized(10, []byte{0x10, 'a', 2, 0, 0x50, 'a', 'b', 'c', 'd', 'e'}),
		"half a distance":    sized(5, []byte{0x10, 'a', 1}),
		"no literals":        sized(5, []byte{0xf0}),
		"endless literals":   sized(5, []byte{0xf0, 255, 255, 255}),
		"endless repetition": sized(600, []byte{0x1f, 'a', 1, 0, 255, 255, 255}),
		"beyond the size":    sized(600, append([]byte{0x1f, 'a', 1, 0}, bytes.Repeat([]byte{255}, 40)...)),
	}
}

func TestUnpackWhatIsDamaged(t *testing.T) {
	packed, err := Pack(programs()[3])
	require.NoError(t, err)
	for about, packed := range damaged(t, packed) {
		_, err := Unpack(packed)
		require.ErrorIs(t, err, ErrDamaged, about)
		_, ok := model(packed)
		require.False(t, ok, about)
	}
}

// model is what the machine code does, in Go.
func model(packed []byte) (program []byte, ok bool) {
	if len(packed) < sizeLength {
		return nil, false
	}
	size, from := binary.LittleEndian.Uint64(packed), packed[sizeLength:]
	if size == 0 || size > maxProgram {
		return nil, false
	}
	extend := func(number uint64) (uint64, bool) {
		for more := number == 15; more; {
			if len(from) == 0 {
				return 0, false
			}
			number += uint64(from[0])
			more, from = from[0] == 255, from[1:]
		}
		return number, true
	}
	for len(from) > 0 {
		token := uint64(from[0])
		from = from[1:]
		literals, ok := extend(token >> 4)
		if !ok || literals > uint64(len(from)) || literals > size-uint64(len(program)) {
			return nil, false
		}
		program, from = append(program, from[:literals]...), from[literals:]
		if len(from) == 0 {
			return program, uint64(len(program)) == size
		}
		if len(from) < 2 {
			return nil, false
		}
		distance := int(binary.LittleEndian.Uint16(from))
		from = from[2:]
		repeated, ok := extend(token & 15)
		repeated += 4
		if !ok || distance == 0 || distance > len(program) || repeated > size-uint64(len(program)) {
			return nil, false
		}
		for range repeated {
			program = append(program, program[len(program)-distance])
		}
	}
	return nil, false
}
