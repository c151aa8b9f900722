//go:build soak

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

const packagedVersion = "v0.1.0-rc1-2-gabcdef1"

// pack makes what 'make dist' does, for this machine only.
func pack(t *testing.T) (sums string, debs []string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.CommandContext(t.Context(), bed.Program("dist"), "-version", packagedVersion, "-date", "1700000000", "-o",
		out, "linux/"+runtime.GOARCH)
	cmd.Dir = ".."
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, string(said))
	text, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	require.NoError(t, err)
	debs, err = filepath.Glob(filepath.Join(out, "*.deb"))
	require.NoError(t, err)
	return string(text), debs
}

// TestSoakPackageInstallsAndIsRemoved: a Debian package comes and goes without a trace.
func TestSoakPackageInstallsAndIsRemoved(t *testing.T) {
	sums, debs := pack(t)
	require.Regexp(t, `(?m)^[0-9a-f]{64}  devtun_`+packagedVersion+`_linux_`+runtime.GOARCH+`\.tar\.gz$`, sums)
	require.Len(t, debs, 1)
	require.Equal(t, "devtun_0.1.0~rc1+2+gabcdef1_"+runtime.GOARCH+".deb", filepath.Base(debs[0]))

	check := exec.CommandContext(t.Context(), "../packaging/check.sh", debs[0], packagedVersion)
	check.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	said, err := check.CombinedOutput()
	require.NoError(t, err, string(said))
	require.Contains(t, string(said), "check: all well")
}

// TestSoakPackagesAreTheSameBytes of the same source.
func TestSoakPackagesAreTheSameBytes(t *testing.T) {
	first, _ := pack(t)
	second, _ := pack(t)
	require.Equal(t, first, second)
}
