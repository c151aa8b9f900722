package command

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// handedFiles are files for a program to see, and what a runRole is to be called with.
func handedFiles(t *testing.T, mount string) (dir, arg string) {
	t.Helper()
	dir = openDir(t)
	path := filepath.Join(dir, mount, "config")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("here\n"), 0o644))
	return dir, dir + "::" + mount
}

func TestFilesAreInTheirPlaces(t *testing.T) {
	const mount = "/etc/devtun-command-test"
	dir, arg := handedFiles(t, mount)
	r := newRunner(t, arg, "sh", "-c", "echo $DEVTUN_FILES; cat "+mount+"/config; "+
		"grep -E '^Cap(Inh|Prm|Eff|Amb)|^NoNewPrivs' /proc/self/status | tr -s '\\t\\n' ' '; echo; exit 5")
	r.asNobody().start()
	r.expect(dir)
	r.expect("here")
	r.expect(noRights)
	require.Equal(t, 5, r.code())
	require.NoDirExists(t, mount)
}

// TestFilesGoWithAKilledDevtun has them removed although nobody is left to close them.
func TestFilesGoWithAKilledDevtun(t *testing.T) {
	for _, mount := range []string{"/etc/devtun-command-test", "/devtun-command-test"} {
		dir, arg := handedFiles(t, mount)
		if os.Geteuid() == 0 {
			require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
				return errors.Join(err, os.Chown(path, 65534, 65534))
			}))
		}
		r := newRunner(t, arg, "sh", "-c", "cat "+mount+"/config; exec sleep 1000")
		r.asNobody().start()
		r.expect("here")
		require.NoError(t, r.Process.Kill())
		require.Eventually(t, func() bool {
			left, err := os.ReadDir(dir)
			return errors.Is(err, os.ErrNotExist) || err == nil && len(left) == 0
		}, 15*time.Second, 5*time.Millisecond)
	}
}

// TestFilesElsewhere has the program run although they cannot be in their places.
func TestFilesElsewhere(t *testing.T) {
	const script = "cat $DEVTUN_FILES/tmp/devtun-command-test/config; exit 5"
	_, arg := handedFiles(t, "/tmp/devtun-command-test")
	r := newRunner(t, arg, "sh", "-c", script)
	r.asNobody().start()
	require.ElementsMatch(t, []string{"/tmp/devtun-command-test is not in its place, but below $DEVTUN_FILES: " +
		"/tmp/devtun-command-test is not there, and /tmp, everybody's, has to stay open for writing", "here"},
		[]string{r.line(), r.line()}, "whichever comes first")
	require.Equal(t, 5, r.code())

	_, arg = handedFiles(t, "/tmp/devtun-command-test")
	r = limited(t, "max_user_namespaces", arg, "sh", "-c", script)
	r.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_RESOURCE} // to set the limit
	r.start()
	said := []string{r.line(), r.line()} // whichever comes first
	require.Contains(t, said, "here")
	require.Contains(t, strings.Join(said, "\n"), "the container's files are not in their places, but below "+
		"$DEVTUN_FILES: forbidden by user.max_user_namespaces=0: ")
	require.Equal(t, 5, r.code())

	_, arg = handedFiles(t, "/tmp/devtun-command-test")
	r = newRunner(t, "")
	r.Args = []string{self, "role:filter", arg, "sh", "-c", script}
	r.asNobody().start()
	said = []string{r.line(), r.line()}
	require.Contains(t, said, "here")
	require.Contains(t, strings.Join(said, "\n"),
		"the container's files are not in their places, but below $DEVTUN_FILES: forbidden by ")
	require.Equal(t, 5, r.code())
}
