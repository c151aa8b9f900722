package content

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests' two ends may be built at different times: the bytes must not
// change.
func TestHash(t *testing.T) {
	require.Equal(t, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", Hash(0, 0))
	require.Equal(t, "d0525653b324f4790f3671f1af3fa86173a2023b92562049412d1ef6dbcf7f68", Hash(0, 1<<20))
	require.Equal(t, "7a0b5ad8fe5bfdbbb829a5315c91967e8987c3ae530a292319aa41c41c1b226e", Hash(7, 1<<20))
}

func TestReaderDoesNotDependOnReadSizes(t *testing.T) {
	whole, err := io.ReadAll(Reader(1, 1000))
	require.NoError(t, err)
	var pieces []byte
	r, piece := Reader(1, 1000), make([]byte, 7)
	for {
		n, err := r.Read(piece)
		pieces = append(pieces, piece[:n]...)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}
	require.Equal(t, whole, pieces)
}

func BenchmarkReader(b *testing.B) {
	b.SetBytes(1 << 20)
	buffer := make([]byte, 256<<10)
	for b.Loop() {
		r := Reader(0, 1<<20)
		for {
			if _, err := r.Read(buffer); err != nil {
				break
			}
		}
	}
}
