package loader

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strconv"
)

const (
	// Directory is where the loader and the parts stand in a container.
	Directory = "/devtun"

	// Name is the loader's name there, beside the parts.
	Name = "agent"

	// MaxParts is how many parts the loader looks for.
	MaxParts = 10

	// maxPacked is the room for all parts, in bytes: as much as ten ConfigMaps hold.
	maxPacked = MaxParts << 20
)

// PartName is the name of part i, from 0 to MaxParts-1.
func PartName(i int) string { return strconv.Itoa(i) }

const (
	// origin is the address of the file's first byte.
	origin = 0x400000
	// page is the largest that a kernel of either architecture has.
	page = 0x10000
	// headers is the size of what stands before the code.
	headers = 64 + 2*56
	// maxDirectory is the longest path of a directory: the code has 256 bytes for a part's.
	maxDirectory = 240
)

// machines has the code for each architecture.
var machines = map[string]struct {
	machine elf.Machine
	lines   []line
}{
	"amd64": {elf.EM_X86_64, amd64},
	"arm64": {elf.EM_AARCH64, arm64},
}

// ELF is the loader for an architecture, as Go calls it, to be executed.
func ELF(arch string) ([]byte, error) { return build(arch, Directory) }

// build is ELF with the parts in a directory.
func build(arch, directory string) ([]byte, error) {
	if len(directory) > maxDirectory {
		return nil, fmt.Errorf("make loader: %s is too long", directory)
	}
	of, found := machines[arch]
	if !found {
		return nil, fmt.Errorf("make loader: there is none for %s", arch)
	}
	listing, err := assemble(origin+headers, of.lines, texts(directory))
	if err != nil {
		return nil, fmt.Errorf("make loader for %s: %w", arch, err)
	}
	return append(header(of.machine, uint64(headers+len(listing.code))), listing.code...), nil
}

// header is that of a program of one piece that is read and executed, whose first
// instruction is behind it.
func header(machine elf.Machine, size uint64) []byte {
	var b bytes.Buffer
	for _, part := range []any{
		elf.Header64{
			Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F',
				byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
			Entry: origin + headers, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2,
		},
		elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
			Vaddr: origin, Paddr: origin, Filesz: size, Memsz: size, Align: page,
		},
		elf.Prog64{Type: uint32(elf.PT_GNU_STACK), Flags: uint32(elf.PF_R | elf.PF_W)},
	} {
		_ = binary.Write(&b, binary.LittleEndian, part) // a buffer takes all
	}
	return b.Bytes()
}
