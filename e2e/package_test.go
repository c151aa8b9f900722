package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPackageInstallsAndIsRemoved makes what 'make dist' does, for this machine only:
// the same bytes twice, and a Debian package that comes and goes without a trace.
func TestPackageInstallsAndIsRemoved(t *testing.T) {
	const version = "v0.1.0-rc1-2-gabcdef1"
	var sums [2]string
	var packages []string
	for i := range sums {
		out := filepath.Join(t.TempDir(), "out")
		cmd := exec.CommandContext(t.Context(), bed.Program("dist"), "-version", version, "-date", "1700000000", "-o", out, "linux/"+runtime.GOARCH)
		cmd.Dir = ".."
		said, err := cmd.CombinedOutput()
		require.NoError(t, err, string(said))
		text, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
		require.NoError(t, err)
		sums[i] = string(text)
		packages, err = filepath.Glob(filepath.Join(out, "*.deb"))
		require.NoError(t, err)
	}
	require.Equal(t, sums[0], sums[1], "the same source gives the same bytes")
	require.Regexp(t, `(?m)^[0-9a-f]{64}  devtun_`+version+`_linux_`+runtime.GOARCH+`\.tar\.gz$`, sums[0])
	require.Len(t, packages, 1)
	require.Equal(t, "devtun_0.1.0~rc1+2+gabcdef1_"+runtime.GOARCH+".deb", filepath.Base(packages[0]))

	check := exec.CommandContext(t.Context(), "../packaging/check.sh", packages[0], version)
	check.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	said, err := check.CombinedOutput()
	require.NoError(t, err, string(said))
	require.Contains(t, string(said), "check: all well")
}
