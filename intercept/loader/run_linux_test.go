package loader

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// seenProgram is testdata/seen, compiled.
var seenProgram = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "devtun-loader-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "seen"), "./testdata/seen")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "seen"))
})

// place is a directory with a loader and parts.
type place struct {
	dir    string
	loader string
}

func newPlace(t testing.TB, arch string) place {
	t.Helper()
	p := place{dir: t.TempDir()}
	p.loader = filepath.Join(p.dir, Name)
	elf, err := build(arch, p.dir)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(p.loader, elf, 0o700))
	return p
}

// hold has the place hold packed, cut where cuts says.
func (p place) hold(t testing.TB, packed []byte, cuts ...int) {
	t.Helper()
	cuts = append(cuts, len(packed))
	from := 0
	for i, to := range cuts {
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, PartName(i)), packed[from:to], 0o400))
		from = to
	}
}

type seen struct {
	Args, Env []string
	Open      map[string]string
	Dir       string
}

func (p place) run(t *testing.T, env []string, args ...string) seen {
	t.Helper()
	cmd := exec.Command(p.loader, args...)
	cmd.Env = env
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	var s seen
	require.NoError(t, gob.NewDecoder(bytes.NewReader(out)).Decode(&s))
	return s
}

func TestItRunsTheProgram(t *testing.T) {
	program, err := seenProgram()
	require.NoError(t, err)
	packed, err := Pack(program)
	require.NoError(t, err)
	p := newPlace(t, runtime.GOARCH)
	p.hold(t, packed)
	args := []string{"", "a b", "", "\xff", strings.Repeat("x", 1<<10)}
	s := p.run(t, []string{"A=1"}, args...)
	require.Equal(t, append([]string{p.loader}, args...), s.Args)
	require.Equal(t, []string{"A=1"}, s.Env)
}
