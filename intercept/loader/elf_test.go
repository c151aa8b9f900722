package loader

import (
	"bytes"
	"debug/elf"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestELF(t *testing.T) {
	for arch, machine := range machines {
		file, err := ELF(arch)
		require.NoError(t, err)
		t.Logf("%s: %d bytes", arch, len(file))
		require.Less(t, len(file), 1024)

		parsed, err := elf.NewFile(bytes.NewReader(file))
		require.NoError(t, err)
		require.Equal(t, machine.machine, parsed.Machine)
		require.Equal(t, elf.ET_EXEC, parsed.Type)
		require.EqualValues(t, origin+headers, parsed.Entry)
		require.Len(t, parsed.Progs, 2)
		require.EqualValues(t, len(file), parsed.Progs[0].Filesz)
		require.Equal(t, elf.PF_R|elf.PF_X, parsed.Progs[0].Flags, "nothing of it is written")
		require.Equal(t, elf.PT_GNU_STACK, parsed.Progs[1].Type)
		require.Equal(t, elf.PF_R|elf.PF_W, parsed.Progs[1].Flags, "nothing there is executed")
		require.Contains(t, string(file), "/devtun/0\x00")
	}
	_, err := ELF("riscv64")
	require.ErrorContains(t, err, "there is none for riscv64")
	_, err = build("amd64", strings.Repeat("x", maxDirectory+1))
	require.ErrorContains(t, err, "is too long")
}

func TestWhatCannotBeAssembled(t *testing.T) {
	far := make([]line, 200)
	for i := range far {
		far[i] = line{"90", "nop"}
	}
	for about, lines := range map[string][]line{
		"no such place":   {{"eb rel8", "jmp nowhere"}},
		"out of reach":    append([]line{{"eb rel8", "jmp end"}}, append(far, line{"", "end:"})...),
		"no hexadecimals": {{"what", "nop"}},
	} {
		_, err := assemble(origin, lines, nil)
		require.Error(t, err, about)
	}
}
