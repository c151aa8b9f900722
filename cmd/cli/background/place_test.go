package background

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The time that a claim waits is virtual in the tests that want it refused.
func TestAPlaceIsTakenOnce(t *testing.T) { synctest.Test(t, aPlaceIsTakenOnce) }

func aPlaceIsTakenOnce(t *testing.T) {
	d := newDirectory(t)
	require.False(t, d.Runs("shop"))
	place, err := d.Claim("shop")
	require.NoError(t, err)
	require.True(t, d.Runs("shop"))
	_, err = d.Claim("shop")
	require.Equal(t, &BusyError{"shop"}, err)
	other, err := d.Claim("other")
	require.NoError(t, err, "another session is no matter")
	running, err := d.Running()
	require.NoError(t, err)
	require.Equal(t, []string{"other", "shop"}, running)
	require.NoError(t, other.Remove())
	require.NoError(t, place.Close())
	require.False(t, d.Runs("shop"))
	require.Equal(t, []string{"shop.log"}, files(t, d), "its log stays")
	place, err = d.Claim("shop")
	require.NoError(t, err)
	require.NoError(t, place.Remove())
	require.Empty(t, files(t, d))
}

// TestManyWantOnePlace has one of many get it, again and again.
func TestManyWantOnePlace(t *testing.T) { synctest.Test(t, manyWantOnePlace) }

func manyWantOnePlace(t *testing.T) {
	d := newDirectory(t)
	for range 20 {
		var claiming sync.WaitGroup
		places := make([]*Place, 4)
		for i := range places {
			claiming.Go(func() { places[i], _ = d.claim("shop") })
		}
		claiming.Wait()
		held := 0
		for _, place := range places {
			if place != nil {
				held++
				require.NoError(t, place.Close())
			}
		}
		require.Equal(t, 1, held)
	}
}

// TestTheDeadMakeRoom leaves what a killed session leaves: its files, and no lock.
func TestTheDeadMakeRoom(t *testing.T) { synctest.Test(t, theDeadMakeRoom) }

func theDeadMakeRoom(t *testing.T) {
	d := newDirectory(t)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: d.path("shop", socketSuffix), Net: "unix"})
	require.NoError(t, err)
	listener.SetUnlinkOnClose(false)
	require.NoError(t, listener.Close())
	for _, suffix := range []string{lockSuffix, logSuffix, "-2026-11-30T05-46-54.123.log"} {
		require.NoError(t, os.WriteFile(d.path("shop", suffix), nil, 0o600))
	}
	names, err := d.Names()
	require.NoError(t, err)
	require.Equal(t, []string{"shop"}, names)
	require.False(t, d.Runs("shop"))
	place, err := d.Claim("shop")
	require.NoError(t, err)
	cleaned, err := d.Clean()
	require.NoError(t, err)
	require.Empty(t, cleaned, "this one lives")
	require.NoError(t, place.Close())
	cleaned, err = d.Clean()
	require.NoError(t, err)
	require.Equal(t, []string{"shop"}, cleaned)
	require.Empty(t, files(t, d))
}

func TestOnlyTheUserGetsAtIt(t *testing.T) {
	parent := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", parent)
	d, err := Default()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(parent, "devtun"), string(d))
	require.NoDirExists(t, string(d), "to look is not to make")
	names, err := d.Names()
	require.NoError(t, err)
	require.Empty(t, names)
	place, err := d.Claim("shop")
	require.NoError(t, err)
	require.NoError(t, place.Remove())
	info, err := os.Stat(string(d))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	again, err := Default()
	require.NoError(t, err)
	require.Equal(t, d, again)

	require.NoError(t, os.Chmod(string(d), 0o750))
	_, err = Default()
	var unfit *DirectoryError
	require.ErrorAs(t, err, &unfit)
	require.ErrorContains(t, err, "is open to other users")

	require.NoError(t, os.Remove(string(d)))
	require.NoError(t, os.Symlink(t.TempDir(), string(d)))
	_, err = Default()
	require.ErrorContains(t, err, "is no directory")

	t.Setenv("TMPDIR", t.TempDir())
	for _, none := range []string{"", "relative", filepath.Join(parent, "none")} {
		t.Setenv("XDG_RUNTIME_DIR", none)
		d, err = Default()
		require.NoError(t, err)
		require.Equal(t, filepath.Join(os.TempDir(), fmt.Sprintf("devtun-%d", os.Getuid())), string(d))
	}
}

func TestTheSocketIsTheUsersAlone(t *testing.T) {
	d := newDirectory(t)
	place, err := d.Claim("shop")
	require.NoError(t, err)
	defer place.Remove()
	for _, suffix := range []string{lockSuffix, socketSuffix, logSuffix} {
		info, err := os.Stat(d.path("shop", suffix))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), suffix)
	}
	long := Directory(filepath.Join(t.TempDir(), strings.Repeat("a", 100)))
	require.NoError(t, os.Mkdir(string(long), 0o700))
	_, err = long.Claim("shop")
	require.ErrorContains(t, err, "too long")
	require.Empty(t, files(t, long))
}

func TestTheLogIsBoundedAndHasTheTime(t *testing.T) {
	d := newDirectory(t)
	place, err := d.Claim("shop")
	require.NoError(t, err)
	place.Log.file.MaxSize = 1 // MiB
	fmt.Fprint(place.Log, "a line in ")
	fmt.Fprint(place.Log, "two parts\nand another\n")
	require.Regexp(t, `^\S{24} a line in two parts\n\S{24} and another\n$`, read(t, d, 0))
	for i := range 100 {
		fmt.Fprintf(place.Log, "%s line %d\n", strings.Repeat("x", 30<<10), i)
	}
	require.NoError(t, place.Close())
	var logs []string
	require.Eventually(t, func() bool { logs = d.rotatedLogs("shop"); return len(logs) == 1 }, testTimeout,
		time.Millisecond)
	for _, path := range append(logs, d.path("shop", logSuffix)) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), int64(1<<20))
	}
	text := read(t, d, 0)
	require.Regexp(t, ` line 98\n\S{24} x+ line 99\n$`, text)
	require.NotContains(t, text, "a line in two parts")
	_, err = place.Log.Write([]byte("x\n"))
	require.ErrorIs(t, err, os.ErrClosed)
	require.ErrorIs(t, d.ReadLog(t.Context(), "none", time.Time{}, false, io.Discard), ErrNoLog)
}

func TestTheLogSince(t *testing.T) {
	d := newDirectory(t)
	old := time.Now().Add(-time.Hour).UTC().Format(stamp)
	require.NoError(t,
		os.WriteFile(d.path("shop", logSuffix), []byte(old+" long ago\n"+time.Now().UTC().Format(stamp)+" now\n"), 0o600))
	require.Contains(t, read(t, d, 0), "long ago")
	require.Regexp(t, `^\S{24} now\n$`, read(t, d, time.Minute))
}

// TestTheLogIsFollowed through a rotation, to the session's end.
func TestTheLogIsFollowed(t *testing.T) {
	d := newDirectory(t)
	place, err := d.Claim("shop")
	require.NoError(t, err)
	place.Log.file.MaxSize = 1 // MiB
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := d.ReadLog(within(t), "shop", time.Time{}, true, in)
		in.Close()
		done <- err
	}()
	var seen bytes.Buffer
	copied := make(chan struct{})
	go func() { io.Copy(&seen, out); close(copied) }()
	var want strings.Builder
	for i := range 6 { // one rotation
		line := fmt.Sprintf("line %d %s\n", i, strings.Repeat("x", 300<<10))
		fmt.Fprint(place.Log, line)
		want.WriteString(line)
	}
	require.NoError(t, place.Close())
	require.NoError(t, <-done)
	<-copied
	var lines strings.Builder
	for line := range strings.Lines(seen.String()) {
		lines.WriteString(line[len(stamp)+1:])
	}
	require.True(t, want.String() == lines.String(), "every line, once")
	require.Len(t, d.rotatedLogs("shop"), 1)
	names, err := d.Names()
	require.NoError(t, err)
	require.Equal(t, []string{"shop"}, names)
	require.NoError(t, place.Remove())
	require.Empty(t, files(t, d))
}

func files(t *testing.T, d Directory) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(string(d))
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func read(t *testing.T, d Directory, since time.Duration) string {
	t.Helper()
	from := time.Time{}
	if since > 0 {
		from = time.Now().Add(-since)
	}
	var text bytes.Buffer
	require.NoError(t, d.ReadLog(context.Background(), "shop", from, false, &text))
	return text.String()
}
