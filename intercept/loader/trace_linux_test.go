package loader

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// call is one of the kernel, before it is made.
type call struct {
	name string
	args [6]uint64
}

// process is a loader's that stops at each call of the kernel.
type process interface {
	// next goes on to the next call, or to the end: then call is nil.
	next() (c *call, code int, err error)
	// do has the kernel do the call that it stands at, with arguments that may be others.
	do(c *call) error
	// answer gives the call's result in the kernel's place.
	answer(result int64) error
	// read reads the process's memory.
	read(address uint64, into []byte) error
	pid() int
	// end ends the process if it has not ended.
	end()
}

// tracers start loaders so, by architecture. argv begins with the loader's path.
var tracers = map[string]func(argv, env []string, stderr *os.File) (process, error){}

// outcome is how a loader ends: with a program or a complaint.
type outcome struct {
	program   []byte
	argv, env []string
	code      int
	complaint string
}

// between may change a call's arguments, or answer it itself.
type between func(c *call) (result int64, answered bool)

// place is a directory with a loader and parts.
type place struct {
	arch, dir, loader string
}

func newPlace(t testing.TB, arch string) place {
	t.Helper()
	p := place{arch: arch, dir: t.TempDir()}
	p.loader = filepath.Join(p.dir, Name)
	elf, err := build(arch, p.dir)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(p.loader, elf, 0o700))
	return p
}

// hold has the place hold packed, cut where cuts says, and no other parts.
func (p place) hold(t testing.TB, packed []byte, cuts ...int) {
	t.Helper()
	from := 0
	for i, to := range append(cuts, len(packed)) {
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, PartName(i)), packed[from:to], 0o600))
		from = to
	}
	for i := len(cuts) + 1; i < MaxParts; i++ {
		require.NoError(t, os.RemoveAll(filepath.Join(p.dir, PartName(i))))
	}
}

// follow runs the loader up to the program's execution.
func (p place) follow(t testing.TB, env, args []string, between between) outcome {
	t.Helper()
	stderr, err := os.Create(filepath.Join(p.dir, "stderr"))
	require.NoError(t, err)
	defer stderr.Close()
	process, err := tracers[p.arch](append([]string{p.loader}, args...), env, stderr)
	require.NoError(t, err)
	defer process.end()
	for {
		c, code, err := process.next()
		require.NoError(t, err)
		if c == nil {
			said, err := os.ReadFile(stderr.Name())
			require.NoError(t, err)
			return outcome{code: code, complaint: string(said)}
		}
		if between != nil {
			if result, answered := between(c); answered {
				require.NoError(t, process.answer(result))
				continue
			}
		}
		if c.name == "execveat" {
			return executed(t, process, c)
		}
		require.NoError(t, process.do(c))
	}
}

// executed is what the kernel would execute.
func executed(t testing.TB, p process, c *call) (o outcome) {
	t.Helper()
	require.Empty(t, readString(t, p, c.args[1]))
	require.EqualValues(t, unix.AT_EMPTY_PATH, c.args[4])
	o.argv, o.env = readStrings(t, p, c.args[2]), readStrings(t, p, c.args[3])
	var err error
	o.program, err = os.ReadFile(fmt.Sprintf("/proc/%d/fd/%d", p.pid(), c.args[0]))
	require.NoError(t, err)
	return o
}

// readStrings reads strings by pointers to them, as far as nil.
func readStrings(t testing.TB, p process, address uint64) (all []string) {
	t.Helper()
	for ; ; address += 8 {
		var pointer [8]byte
		require.NoError(t, p.read(address, pointer[:]))
		at := binary.LittleEndian.Uint64(pointer[:])
		if at == 0 {
			return all
		}
		all = append(all, readString(t, p, at))
	}
}

// readString reads as far as the zero byte, a few bytes at a time: the stack's end is
// not far.
func readString(t testing.TB, p process, address uint64) string {
	t.Helper()
	var s []byte
	for chunk := make([]byte, 8); ; address += uint64(len(chunk)) {
		require.NoError(t, p.read(address, chunk))
		if i := bytes.IndexByte(chunk, 0); i >= 0 {
			return string(append(s, chunk[:i]...))
		}
		s = append(s, chunk...)
	}
}
