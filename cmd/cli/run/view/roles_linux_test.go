package view

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const self = "/proc/self/exe"

// scene is a shell script that is run in a view.
type scene struct {
	View   View
	Script string
}

func TestMain(m *testing.M) {
	roles := map[string]func(scene) error{"role:begin": begin, "role:see": see}
	if len(os.Args) > 2 && roles[os.Args[1]] != nil {
		var s scene
		err := json.Unmarshal([]byte(os.Args[2]), &s)
		if err == nil {
			err = roles[os.Args[1]](s)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// begin starts a process that is to have a view.
func begin(s scene) error {
	attributes, user := Attributes()
	s.View.User = user
	return s.as("see", attributes).Run()
}

func (s scene) as(role string, attributes *syscall.SysProcAttr) *exec.Cmd {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	child := exec.Command(self, "role:"+role, string(text))
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stdout
	child.SysProcAttr = attributes
	return child
}

// see enters the view, and says what is not shown.
func see(s scene) error {
	runtime.LockOSThread()
	shown, err := s.View.Enter()
	if err != nil {
		return err
	}
	for _, u := range shown.Unshown {
		fmt.Printf("unshown %s: %s\n", u.Mount, u.Why)
	}
	go func() {
		for range shown.Moved {
			shown.Renew()
		}
	}()
	shell := exec.Command("/bin/sh", "-c", s.Script)
	shell.Stdin, shell.Stdout, shell.Stderr = os.Stdin, os.Stdout, os.Stdout
	return shell.Run()
}

// stage is where scenes are played: a directory of a plain machine, and files to show.
type stage struct {
	t       *testing.T
	machine string // everybody may enter it
	home    string
	files   string
	plain   bool // by a user without rights
}

// play runs test as root, if this is root, and as a user without rights.
func play(t *testing.T, test func(*testing.T, *stage)) {
	for name, plain := range map[string]bool{"root": false, "user": true} {
		if !plain && os.Geteuid() != 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			before := mountsHere(t)
			s := &stage{t: t, machine: openDir(t), home: openDir(t), files: openDir(t), plain: plain}
			if plain && os.Geteuid() == 0 {
				for _, dir := range []string{s.home, s.files} {
					require.NoError(t, os.Chown(dir, 65534, 65534))
				}
			}
			test(t, s)
			require.NoFileExists(t, filepath.Join(s.files, ".devtun-root"))
			require.Equal(t, before, mountsHere(t), "what is mounted outside")
		})
	}
}

func mountsHere(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	return string(text)
}

// openDir is a directory that everybody may enter, whatever $TMPDIR and the umask are.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "devtun-view")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// have makes a file, and what leads to it.
func (s *stage) have(path, content string) {
	s.t.Helper()
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s.t, os.WriteFile(path, []byte(content), 0o644))
}

// hand makes a file that is to be seen at path.
func (s *stage) hand(path, content string) { s.have(filepath.Join(s.files, path), content) }

// sees is what a script says that sees mounts.
func (s *stage) sees(script string, mounts ...string) string {
	s.t.Helper()
	said, end := s.begin(View{Files: Files{s.files, mounts}}, script)
	var lines []string
	for said.Scan() {
		lines = append(lines, said.Text())
	}
	end()
	return strings.Join(lines, "\n")
}

// begin runs a script in a view, within 10 s, until it ends or end is called.
func (s *stage) begin(v View, script string) (said *bufio.Scanner, end func()) {
	s.t.Helper()
	if v.Program == "" {
		v.Program = "/bin/sh"
	}
	child := scene{v, script}.as("begin", &syscall.SysProcAttr{Setpgid: true})
	if s.plain && os.Geteuid() == 0 {
		child.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	child.Env = append(os.Environ(), "HOME="+s.home, "TEST_HOME="+s.home)
	child.Dir = s.machine
	out, in, err := os.Pipe()
	require.NoError(s.t, err)
	require.NoError(s.t, out.SetReadDeadline(time.Now().Add(10*time.Second)))
	child.Stdout, child.Stderr = in, in
	require.NoError(s.t, child.Start())
	require.NoError(s.t, in.Close())
	return bufio.NewScanner(out), func() {
		_ = syscall.Kill(-child.Process.Pid, syscall.SIGKILL) // it may have ended
		_ = child.Wait()                                      // likewise
		_ = out.Close()
	}
}
