package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/cmd/cli/run/view"
)

const privateContent = "127.1.2.3 api.shop\n"

// privateFile is a file for a program to see as its hosts file.
func privateFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(openDir(t), "hosts")
	require.NoError(t, os.WriteFile(path, []byte(privateContent), 0o644))
	require.NoError(t, os.Chmod(path, 0o644)) // whatever the umask is
	return path
}

// viewer says how the world looks to a program.
const viewer = `
id -u; id -g; id -G
grep -E '^Cap(Inh|Prm|Eff|Amb)|^NoNewPrivs' /proc/self/status | tr -s '\t\n' ' '; echo
mount --bind /etc/passwd /etc/hosts 2>/dev/null && echo may mount || echo may not mount
cat /etc/hosts
read line
cat /etc/hosts
`

const noRights = "CapInh: 0000000000000000 CapPrm: 0000000000000000 CapEff: 0000000000000000 CapAmb: " +
	"0000000000000000 NoNewPrivs: 0 "

func TestPrivateView(t *testing.T) {
	before, err := os.ReadFile(view.SystemHosts)
	require.NoError(t, err)
	hosts := privateFile(t)
	for _, who := range []string{"nobody", "this user"} {
		t.Run(who, func(t *testing.T) {
			answer, question, err := os.Pipe()
			require.NoError(t, err)
			defer question.Close()
			require.NoError(t, os.WriteFile(hosts, []byte(privateContent), 0o644))
			r := newRunner(t, hosts, "sh", "-c", viewer)
			uid, gid := os.Geteuid(), os.Getegid()
			if who == "nobody" && uid == 0 {
				r.asNobody()
				uid, gid = 65534, 65534
			}
			r.Stdin = answer
			r.start()
			require.NoError(t, answer.Close())
			r.expect(strconv.Itoa(uid))
			r.expect(strconv.Itoa(gid))
			require.Contains(t, strings.Fields(r.line()), strconv.Itoa(gid))
			if rights := r.line(); uid != 0 {
				require.Equal(t, noRights, rights)
				r.expect("may not mount")
			} else {
				require.NotEqual(t, noRights, rights, "root stays root")
				r.expect("may mount") // in its own view, and over the private file
				return
			}
			r.expect("127.1.2.3 api.shop")
			require.NoError(t, os.WriteFile(hosts, []byte("127.9.9.9 web.shop\n"), 0o644))
			_, err = question.WriteString("go on\n")
			require.NoError(t, err)
			r.expect("127.9.9.9 web.shop")
			require.Zero(t, r.code())
		})
	}
	after, err := os.ReadFile(view.SystemHosts)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}

func TestPrivateViewHasCodesAndChildrenToo(t *testing.T) {
	dir := openDir(t)
	require.NoError(t, os.Chmod(dir, 0o777))
	r := newRunner(t, privateFile(t), "sh", "-c", daemons+"echo started; exit 6").asNobody()
	r.Dir = dir
	r.start()
	r.expect("started")
	require.Equal(t, 6, r.code())
	requireDaemonsGone(t, dir)

	r = newRunner(t, privateFile(t), "sh", "-c", stubborn+"echo started; exit 6").brief().asNobody()
	r.Dir = dir
	r.start()
	r.expect("started")
	require.Equal(t, 6, r.code())
	require.False(t, exists(pidIn(t, filepath.Join(dir, "stubborn"))))

	r = newRunner(t, privateFile(t), self, "role:count").asNobody().start()
	r.expect("ready")
	require.NoError(t, r.Process.Signal(os.Interrupt))
	r.expect("interrupt")
	require.NoError(t, r.Process.Signal(unix.SIGTERM))
	r.expect("terminated")
	require.Equal(t, 7, r.code())

	r = newRunner(t, privateFile(t), "sh", "-c", "exec ./nosuchprogram_").asNobody().start()
	require.Equal(t, 127, r.code())
}

// TestHostsFileIsReplacedOutside puts a new file in the place of the system's, as
// editors and devtun's own helper do, while a program sees a private one. All of
// it happens on a machine that is nobody's: the /etc of another mount namespace.
func TestHostsFileIsReplacedOutside(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a machine of its own")
	}
	for _, layout := range []string{"file", "link"} {
		for _, who := range []string{"root", "nobody"} {
			t.Run(layout+", "+who, func(t *testing.T) {
				etc := openDir(t)
				r := newRunner(t, "")
				r.Args = []string{self, "role:machine", etc, layout, privateFile(t), who}
				r.SysProcAttr = newMounts()
				r.start()
				r.expect("well")
				require.Zero(t, r.code())
			})
		}
	}
}

// machineRole makes args[0] the /etc of its mount namespace and replaces the
// hosts file there while a program sees args[2] in its place.
func machineRole(args []string) int {
	syscall.Umask(0o022) // everybody may read a hosts file
	if err := replaceOnMachine(args[0], args[1] == "link", args[2], args[3] == "nobody"); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("well")
	return 0
}
