package view

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// nowhere is a directory that no machine has.
const nowhere = "/devtun-view-test"

func TestADirectoryThatIsThere(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		there := filepath.Join(s.machine, "etc", "app")
		s.have(filepath.Join(there, "old"), "old")
		s.have(filepath.Join(s.machine, "etc", "other"), "other")
		s.hand(filepath.Join(there, "new"), "new")
		require.Equal(t, "new\nother\nnew", s.sees("ls etc/app; cat etc/other; echo; cat etc/app/new", there))
		require.Contains(t, s.sees("echo >etc/app/more", there), "Read-only file system")
		require.Empty(t, s.sees("echo >"+s.home+"/more", there))
		require.FileExists(t, filepath.Join(s.home, "more"))
	})
}

func TestADirectoryThatIsNot(t *testing.T) {
	for _, parent := range []string{"", "/etc", "/usr/share"} { // "" is the root
		t.Run(parent+"/", func(t *testing.T) {
			play(t, func(t *testing.T, s *stage) {
				mount := parent + nowhere + "/app/deep"
				s.hand(mount+"/config", "here")
				list := func(script string, mounts ...string) []string {
					links := "; find " + parent + "/ -maxdepth 1 -type l -printf '%p %l\n'"
					return strings.Split(s.sees("ls -a "+parent+"/"+links, mounts...), "\n")
				}
				before := list("")
				after := list("", mount)
				require.ElementsMatch(t, append(before, nowhere[1:]), after)
				require.Equal(t, "here", s.sees("cat "+mount+"/config", mount))
				require.Equal(t, s.machine, s.sees("pwd -P", mount))
				require.Contains(t, s.sees("echo >"+parent+"/devtun-more", mount), "Read-only file system")
				require.Equal(t, "well", s.sees("echo >$HOME/more && echo well", mount))
				require.Equal(t, "well", s.sees("test -r /proc/self/status && test -w /dev/null && echo well", mount))
				require.Equal(t, "well", s.sees("test $(stat -c %a "+parent+nowhere+") = 755 && echo well", mount))
				require.NoDirExists(t, parent+nowhere)
			})
		})
	}
}

func TestSingleFiles(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		there := filepath.Join(s.machine, "etc", "app.conf")
		s.have(there, "old")
		missing := []string{nowhere + "/app.conf", "/etc" + nowhere + ".conf", s.machine + "/etc/other/app.conf"}
		for _, mount := range append(missing, there) {
			s.hand(mount, "of "+mount+"\n")
			require.Equal(t, "of "+mount, s.sees("cat "+mount, mount))
		}
		require.Equal(t, "of "+there+"\nof "+missing[0]+"\nof "+missing[1]+"\nof "+missing[2],
			s.sees("cat "+there+" "+strings.Join(missing, " "), append(missing, there)...))
		require.Contains(t, s.sees("echo >"+there, there), "Read-only file system")
		for _, mount := range missing {
			require.NoFileExists(t, mount)
		}
		content, err := os.ReadFile(there)
		require.NoError(t, err)
		require.Equal(t, "old", string(content))
	})
}

func TestMountsWithinOthersAndBesideThem(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		outer, inner, beside := nowhere+"/app", nowhere+"/app/tls", nowhere+"/apple"
		s.hand(outer+"/config", "outer\n")
		s.hand(inner+"/key", "inner\n")
		s.hand(beside+"/seed", "beside\n")
		require.Equal(t, "outer\ninner\nbeside", s.sees("cd "+nowhere+"; cat app/config app/tls/key apple/seed",
			inner, beside, outer))
	})
}

func TestAPlaceOfAnotherKind(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		file, dir := filepath.Join(s.machine, "etc", "file"), filepath.Join(s.machine, "etc", "dir")
		s.have(file, "old")
		s.have(filepath.Join(dir, "old"), "old")
		s.have(filepath.Join(s.machine, "etc", "other"), "other\n")
		s.hand(file+"/config", "a directory\n")
		s.hand(dir, "a file\n")
		require.Equal(t, "a directory\na file\nother", s.sees("cd etc; cat file/config dir other", file, dir))
	})
}

// TestLinksOnTheWay has a container's path lead where this machine's links lead.
func TestLinksOnTheWay(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		require.NoError(t, os.MkdirAll(filepath.Join(s.machine, "real", "there"), 0o755))
		require.NoError(t, os.Symlink("real", filepath.Join(s.machine, "link")))
		for _, name := range []string{"there", "missing"} {
			mount := filepath.Join(s.machine, "link", name)
			s.hand(mount+"/config", name+"\n")
			require.Equal(t, name+"\n"+name, s.sees("cat link/"+name+"/config real/"+name+"/config", mount))
		}
	})
}

func TestWhatMustNotBeHidden(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		why := func(mount string) string {
			t.Helper()
			s.hand(mount+"/config", "config")
			return s.sees("pwd", mount)
		}
		require.Equal(t, "unshown /proc/app: /proc is the kernel's\n"+s.machine, why("/proc/app"))
		require.Equal(t, "unshown /dev/app: /dev is the kernel's\n"+s.machine, why("/dev/app"))
		require.Contains(t, why("/tmp"), "unshown /tmp: it would hide ")
		require.Contains(t, why(s.machine), "it would hide the current directory, "+s.machine)
		require.Contains(t, why(s.home), "it would hide the home directory, "+s.home)
		require.Contains(t, why(s.machine+"/missing"), s.machine+", the current directory, has to stay open for writing")
		require.Contains(t, why(s.home+"/.config"), s.home+", the home directory, has to stay open for writing")
		require.Contains(t, why("/tmp"+nowhere), "/tmp, everybody's, has to stay open for writing")
		s.have(s.machine+"/there/file", "file")
		require.Equal(t, s.machine, why(s.machine+"/there"), "within the current directory, and there")
		require.Contains(t, s.sees("cat there/config", s.machine+"/there"), "config")
		require.Contains(t, why("/bin"), "unshown /bin: it would hide the command, ")
	})
}

// TestWhatComesLater has files change under the view: those that are shown, and, in a
// directory that was made anew, those of the machine.
func TestWhatComesLater(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		etc := filepath.Join(s.machine, "etc")
		volume, mount := filepath.Join(s.files, etc, "app"), filepath.Join(etc, "app")
		s.have(filepath.Join(etc, "hosts"), "old\n")
		s.have(filepath.Join(volume, "..1", "config"), "first\n")
		require.NoError(t, os.Symlink("..1", filepath.Join(volume, "..data")))
		require.NoError(t, os.Symlink("..data/config", filepath.Join(volume, "config")))
		said, end := s.begin(View{Files: Files{s.files, []string{mount}}},
			"while cat etc/app/config etc/hosts; do sleep 0.01; done")
		defer end()
		await := func(want string) {
			t.Helper()
			for said.Scan() {
				if said.Text() == want {
					return
				}
			}
			t.Fatalf("never: %s (%v)", want, said.Err())
		}
		await("first")
		await("old")
		s.have(filepath.Join(volume, "..2", "config"), "second\n")
		require.NoError(t, os.Symlink("..2", filepath.Join(volume, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(volume, "..data_tmp"), filepath.Join(volume, "..data")))
		await("second")
		s.have(filepath.Join(etc, "hosts~"), "new\n")
		require.NoError(t, os.Rename(filepath.Join(etc, "hosts~"), filepath.Join(etc, "hosts")))
		await("new")
	})
}

func TestHostsAndFiles(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		hosts, mount := filepath.Join(s.machine, "hosts"), "/etc"+nowhere
		s.have(hosts, "127.1.2.3 api.shop\n")
		s.hand(mount+"/config", "config\n")
		said, end := s.begin(View{Hosts: hosts, Files: Files{s.files, []string{mount, nowhere}}},
			"cat /etc/hosts "+mount+"/config")
		defer end()
		for _, want := range []string{"unshown " + nowhere, "127.1.2.3 api.shop", "config"} {
			require.True(t, said.Scan())
			require.Contains(t, said.Text(), want)
		}
	})
}
