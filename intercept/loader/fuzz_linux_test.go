package loader

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireAsModelled has a loader unpack what may be damaged: it does as the model.
func requireAsModelled(t *testing.T, p place, packed []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, PartName(0)), packed, 0o600))
	o := p.follow(t, nil, nil, nil)
	program, ok := model(packed)
	if !ok {
		require.Equal(t, 126, o.code)
		require.Equal(t, "devtun loader: the parts are damaged, errno 74\n", o.complaint)
		return
	}
	require.True(t, bytes.Equal(program, o.program), o.complaint)
	if unpacked, err := Unpack(packed); err == nil {
		require.True(t, bytes.Equal(program, unpacked))
	}
}

// FuzzLoader takes a block as it is, for a program of some size, and as a program.
func FuzzLoader(f *testing.F) {
	f.Add(uint32(7), []byte("\x70program"))
	f.Add(uint32(20), []byte{0x1f, 'a', 1, 0, 0, 0x00})
	f.Add(uint32(10), []byte{0x51, 1, 2, 3, 4, 5, 5, 0, 0x00})
	f.Add(uint32(275), append([]byte{0xf0, 255, 5}, make([]byte, 275)...))
	for _, packed := range damaged(f, sized(7, []byte("\x70program"))) {
		f.Add(uint32(10), packed[min(sizeLength, len(packed)):])
	}
	places := map[string]place{}
	for arch := range tracers {
		// An emulator is too slow for many.
		if arch == "amd64" || flag.Lookup("test.fuzz").Value.String() == "" {
			places[arch] = newPlace(f, arch)
		}
	}
	f.Fuzz(func(t *testing.T, size uint32, block []byte) {
		for _, p := range places {
			requireAsModelled(t, p, sized(uint64(size), block))
			if len(block) > 0 {
				packed, err := Pack(block)
				require.NoError(t, err)
				requireAsModelled(t, p, packed)
			}
		}
	})
}

// A packed program with a few bytes changed unpacks to another, or is damaged.
func TestBytesThatChange(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	packed, err := Pack(bytes.Repeat([]byte("a few bytes of a program, "), 40))
	require.NoError(t, err)
	onEach(t, func(t *testing.T, p place) {
		for range 60 {
			changed := bytes.Clone(packed)
			for range 1 + random.IntN(2) {
				changed[random.IntN(len(changed))] ^= byte(1 + random.IntN(255))
			}
			requireAsModelled(t, p, changed)
		}
	})
}
