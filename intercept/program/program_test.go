package program

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/loader"
)

// content has no two pieces alike.
func content(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func TestParts(t *testing.T) {
	elf, err := loader.ELF("amd64")
	require.NoError(t, err)
	first := MaxPart - len(elf)
	for size, want := range map[int]int{
		0: 1, 1: 1, first: 1, first + 1: 2, first + MaxPart: 2, first + MaxPart + 1: 3, first + 9*MaxPart: 10,
	} {
		packed := content(size)
		p, err := New("amd64", packed)
		require.NoError(t, err)
		require.Equal(t, "amd64", p.Arch)
		require.Len(t, p.Parts(), want)
		var joined []byte
		for i, part := range p.Parts() {
			require.Regexp(t, regexp.MustCompile(`^devtun-agent-amd64-[0-9a-f]{12}-`+loader.PartName(i)+`$`), part.Name)
			total := 0
			for _, file := range part.Data {
				total += len(file)
			}
			require.LessOrEqual(t, total, MaxPart)
			require.Contains(t, part.Data, loader.PartName(i))
			joined = append(joined, part.Data[loader.PartName(i)]...)
			if i > 0 {
				require.Len(t, part.Data, 1)
			}
		}
		require.True(t, bytes.Equal(packed, joined), size)
		require.Equal(t, elf, p.Parts()[0].Data[loader.Name])
		require.Len(t, p.Parts()[0].Data, 2)
	}
	_, err = New("amd64", content(first+9*MaxPart+1))
	require.ErrorContains(t, err, "1 bytes too many")
	_, err = New("mips", nil)
	require.ErrorContains(t, err, "there is none for mips")
}

func TestAnotherProgramHasOtherNames(t *testing.T) {
	named := func(arch string, packed string) string {
		p, err := New(arch, []byte(packed))
		require.NoError(t, err)
		return p.Parts()[0].Name
	}
	require.Equal(t, named("amd64", "a"), named("amd64", "a"))
	require.NotEqual(t, named("amd64", "a"), named("amd64", "b"))
	require.NotEqual(t, named("amd64", "a"), named("arm64", "a"))
}
