package loader

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// onEach runs a test for each architecture that can be run here.
func onEach(t *testing.T, test func(t *testing.T, p place)) {
	for arch := range tracers {
		t.Run(arch, func(t *testing.T) { test(t, newPlace(t, arch)) })
	}
}

// failing has the n-th call of a name fail.
func failing(name string, n int, errno syscall.Errno) between {
	return func(c *call) (int64, bool) {
		if c.name == name {
			n--
		}
		return -int64(errno), c.name == name && n == 0
	}
}

func TestWhatComesArrives(t *testing.T) {
	program := bytes.Repeat([]byte("program"), 1000)
	packed, err := Pack(program)
	require.NoError(t, err)
	many := []string{}
	for i := range 1000 {
		many = append(many, fmt.Sprintf("VARIABLE_%d=%s", i, strings.Repeat("x", i)))
	}
	onEach(t, func(t *testing.T, p place) {
		p.hold(t, packed)
		for _, args := range [][]string{nil, {""}, {"", "a b", "", "\xff\n", "-"}, {strings.Repeat("x", 100_000)}} {
			o := p.follow(t, []string{"A=1", "B="}, args, nil)
			require.Equal(t, append([]string{p.loader}, args...), o.argv)
			require.ElementsMatch(t, []string{"A=1", "B="}, o.env) // qemu turns them round
			require.Equal(t, program, o.program)
		}
		require.Empty(t, p.follow(t, []string{}, nil, nil).env)
		require.ElementsMatch(t, many, p.follow(t, many, nil, nil).env)
	})
}

func TestAnyProgramInAnyParts(t *testing.T) {
	onEach(t, func(t *testing.T, p place) {
		for _, program := range programs() {
			packed, err := Pack(program)
			require.NoError(t, err)
			p.hold(t, packed)
			require.True(t, bytes.Equal(program, p.follow(t, nil, nil, nil).program))
		}
		program := programs()[6]
		packed, err := Pack(program)
		require.NoError(t, err)
		last := len(packed) - 1
		for _, cuts := range [][]int{
			{1}, {7}, {8}, {9}, {last}, {0}, {0, 0}, {len(packed)}, {4096, 8192}, {65536},
			{1, 2, 3, 4, 5, 6, 7, 8, 9}, {last - 8, last - 7, last - 6, last - 5, last - 4, last - 3, last - 2, last - 1, last},
		} {
			p.hold(t, packed, cuts...)
			require.True(t, bytes.Equal(program, p.follow(t, nil, nil, nil).program), cuts)
		}
		// No more than ten are looked for.
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, "10"), []byte("more"), 0o600))
		p.hold(t, packed, 1, 2, 3, 4, 5, 6, 7, 8, 9)
		require.True(t, bytes.Equal(program, p.follow(t, nil, nil, nil).program))
	})
}

func TestPartsThatAreDamaged(t *testing.T) {
	packed, err := Pack(programs()[3])
	require.NoError(t, err)
	onEach(t, func(t *testing.T, p place) {
		requireDamaged := func(about string) {
			o := p.follow(t, nil, nil, nil)
			require.Equal(t, 126, o.code, about)
			require.Equal(t, "devtun loader: the parts are damaged, errno 74\n", o.complaint, about)
		}
		for about, packed := range damaged(t, packed) {
			p.hold(t, packed)
			requireDamaged(about)
		}
		p.hold(t, packed, 3, 30)
		require.NoError(t, os.Remove(filepath.Join(p.dir, "1")))
		requireDamaged("the second part is missing")
		p.hold(t, make([]byte, maxPacked+1), 1<<20, 2<<20)
		requireDamaged("more than there is room for")
	})
}

func TestPartsThatCannotBeRead(t *testing.T) {
	packed, err := Pack([]byte("program"))
	require.NoError(t, err)
	onEach(t, func(t *testing.T, p place) {
		p.hold(t, packed, 3)
		require.NoError(t, os.Remove(filepath.Join(p.dir, "0")))
		complains(t, p, nil, "cannot read "+p.dir+"/0, errno 2")
		require.NoError(t, os.Mkdir(filepath.Join(p.dir, "0"), 0o700))
		complains(t, p, nil, "cannot read "+p.dir+"/0, errno 21")
		require.NoError(t, os.Remove(filepath.Join(p.dir, "0")))
		p.hold(t, packed, 3)
		complains(t, p, failing("open", 2, unix.EACCES), "cannot read "+p.dir+"/1, errno 13")
		complains(t, p, failing("read", 3, unix.EIO), "cannot read "+p.dir+"/1, errno 5")
	})
}

func complains(t *testing.T, p place, between between, want string) {
	t.Helper()
	o := p.follow(t, nil, nil, between)
	require.Equal(t, "devtun loader: "+want+"\n", o.complaint)
	require.Equal(t, 126, o.code)
}

func TestAKernelThatRefuses(t *testing.T) {
	packed, err := Pack([]byte("program"))
	require.NoError(t, err)
	const refused = "the kernel refuses to run a program from memory, errno "
	onEach(t, func(t *testing.T, p place) {
		p.hold(t, packed)
		complains(t, p, failing("mmap", 1, unix.ENOMEM), "out of memory, errno 12")
		complains(t, p, failing("mmap", 2, unix.ENOMEM), "out of memory, errno 12")
		complains(t, p, failing("ftruncate", 1, unix.EFBIG), "out of memory, errno 27")
		complains(t, p, failing("memfd_create", 1, unix.EACCES), refused+"13")
		complains(t, p, failing("execveat", 1, unix.EACCES), refused+"13")
		complains(t, p, failing("execveat", 1, 133), refused+"133")
		flags := []uint64{}
		complains(t, p, func(c *call) (int64, bool) {
			if c.name == "memfd_create" {
				flags = append(flags, c.args[1])
			}
			return -int64(unix.EINVAL), c.name == "memfd_create"
		}, refused+"22")
		require.Equal(t, []uint64{unix.MFD_CLOEXEC | unix.MFD_EXEC, unix.MFD_CLOEXEC}, flags)
	})
}

// A kernel before 6.3, signals, and reads that bring less than there is.
func TestAKernelThatHesitates(t *testing.T) {
	program := programs()[5][:300]
	packed, err := Pack(program)
	require.NoError(t, err)
	onEach(t, func(t *testing.T, p place) {
		p.hold(t, packed, 100)
		calls := 0
		o := p.follow(t, nil, nil, func(c *call) (int64, bool) {
			switch calls++; c.name {
			case "open", "read":
				if calls%2 == 0 {
					return -int64(unix.EINTR), true
				}
				if c.name == "read" {
					c.args[2] = min(c.args[2], 7)
				}
			case "memfd_create":
				return -int64(unix.EINVAL), c.args[1]&unix.MFD_EXEC != 0
			}
			return 0, false
		})
		require.Equal(t, program, o.program, o.complaint)
	})
}

// What it opens is closed by the program's execution.
func TestItOpensNothingForTheProgram(t *testing.T) {
	packed, err := Pack([]byte("program"))
	require.NoError(t, err)
	onEach(t, func(t *testing.T, p place) {
		p.hold(t, packed)
		opened := 0
		p.follow(t, nil, nil, func(c *call) (int64, bool) {
			switch c.name {
			case "memfd_create":
				opened++
				require.NotZero(t, c.args[1]&unix.MFD_CLOEXEC)
			case "open":
				opened++
				flags := c.args[1]
				if p.arch == "arm64" { // openat
					flags = c.args[2]
				}
				require.EqualValues(t, unix.O_RDONLY|unix.O_CLOEXEC, flags)
			}
			return 0, false
		})
		require.Equal(t, 3, opened, "the part, the one that is not there, the program")
	})
}

// seenPrograms are testdata/seen, compiled, by architecture.
var seenPrograms = map[string]func() ([]byte, error){
	"amd64": sync.OnceValues(func() ([]byte, error) { return compileSeen("amd64") }),
	"arm64": sync.OnceValues(func() ([]byte, error) { return compileSeen("arm64") }),
}

func compileSeen(arch string) (program []byte, err error) {
	dir, err := os.MkdirTemp("", "devtun-loader-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "seen")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, "./testdata/seen")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(file)
}

type seen struct {
	Args, Env []string
	Open      map[string]string
	Dir       string
}

// TestAGoProgramRuns, on this machine by the kernel, on the other one as the loader has
// told the kernel to.
func TestAGoProgramRuns(t *testing.T) {
	env, args := []string{"A=1", "B=", "GODEBUG="}, []string{"", "a b", "", "-x"}
	onEach(t, func(t *testing.T, p place) {
		program, err := seenPrograms[p.arch]()
		require.NoError(t, err)
		packed, err := Pack(program)
		require.NoError(t, err)
		p.hold(t, packed, 5, 1000, len(packed)/2)
		file := filepath.Join(p.dir, "seen")
		require.NoError(t, os.WriteFile(file, program, 0o700))

		start, direct := exec.Command(p.loader, args...), exec.Command(file, args...)
		if p.arch != runtime.GOARCH {
			o := p.follow(t, env, args, nil)
			require.NoError(t, os.WriteFile(file, o.program, 0o700))
			start = exec.Command(qemu, append([]string{"-0", o.argv[0], file}, o.argv[1:]...)...)
			env = o.env
			direct = exec.Command(qemu, append([]string{"-0", p.loader, file}, args...)...)
		}
		direct.Dir = "/"
		got, want := see(t, start, env), see(t, direct, env)
		require.Equal(t, append([]string{p.loader}, args...), got.Args)
		require.ElementsMatch(t, env, got.Env)
		require.Equal(t, slices.Sorted(maps.Keys(want.Open)), slices.Sorted(maps.Keys(got.Open)), "nothing more is open")
	})
}

func see(t *testing.T, cmd *exec.Cmd, env []string) (s seen) {
	t.Helper()
	var complaints bytes.Buffer
	cmd.Env, cmd.Stderr, cmd.Dir = env, &complaints, "/"
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	require.NoError(t, gob.NewDecoder(bytes.NewReader(out)).Decode(&s))
	require.Equal(t, "/", s.Dir)
	return s
}

// TestInAnImageFromScratch has nothing but the loader and the parts, and a user without
// rights.
func TestInAnImageFromScratch(t *testing.T) {
	program, err := seenPrograms[runtime.GOARCH]()
	require.NoError(t, err)
	packed, err := Pack(program)
	require.NoError(t, err)
	elf, err := ELF(runtime.GOARCH)
	require.NoError(t, err)
	root := t.TempDir()
	p := place{arch: runtime.GOARCH, dir: filepath.Join(root, Directory)}
	require.NoError(t, os.Mkdir(p.dir, 0o700))
	p.hold(t, packed, 1000, 2000)
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, Name), elf, 0o500))

	start := exec.Command(Directory+"/"+Name, "a")
	start.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 65532, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 65532, HostID: os.Getgid(), Size: 1}},
		Chroot:      root,
	}
	got := see(t, start, []string{"A=1"})
	require.Equal(t, []string{Directory + "/" + Name, "a"}, got.Args)
	require.Equal(t, []string{"A=1"}, got.Env)
}
