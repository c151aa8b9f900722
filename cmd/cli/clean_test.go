package cli

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/handover"
	"github.com/devtun/devtun/intercept/wire"
)

// source hands over an environment, and no files.
type source struct{ environment []string }

func (s source) Environment(context.Context) ([]string, error) { return s.environment, nil }

func (s source) ReadFiles(ctx context.Context, _ string, _ func(wire.Files, *tar.Reader) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// leaveEnvFile leaves an env file as a devtun does that is killed.
func leaveEnvFile(t *testing.T, path string) {
	t.Helper()
	ledger, err := intercept.HandoverLedger()
	require.NoError(t, err)
	ledger.Owner = "pid=7 start=7 pidns=0 boot=another"
	given, err := handover.Open(handover.Config{Ledger: ledger, Files: []handover.File{{Path: path}}})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	sources := make(chan handover.Source, 1)
	sources <- source{[]string{"PASSWORD=secret"}}
	followed := make(chan error, 1)
	go func() { followed <- given.Follow(ctx, sources) }()
	select {
	case <-given.Ready():
	case <-ctx.Done():
		require.FailNow(t, "nothing was written")
	}
	cancel()
	require.NoError(t, <-followed)
	require.FileExists(t, path)
}

// What cannot be cleaned keeps nothing else from being: least of all secrets.
func TestCleanDoesAllItCan(t *testing.T) {
	runtime, work := t.TempDir(), t.TempDir()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	env := filepath.Join(work, ".env")
	leaveEnvFile(t, env)
	sessions := filepath.Join(runtime, "devtun")
	require.NoError(t, os.MkdirAll(filepath.Join(sessions, "bad.sock", "full"), 0o700), "what cannot be removed")
	for _, name := range []string{"bad.log", "good.log"} {
		require.NoError(t, os.WriteFile(filepath.Join(sessions, name), nil, 0o600))
	}

	var out, stderr bytes.Buffer
	code := Main([]string{"clean", "--hosts-file", filepath.Join(work, "none")},
		output.Streams{In: strings.NewReader(""), Out: &out, Err: &stderr})
	require.EqualValues(t, problem.ExitMachine, code)
	require.Equal(t,
		"removed what a devtun that has ended has handed over: "+env+"\nremoved what session good has left\n", out.String())
	require.Contains(t, stderr.String(), "devtun: error: clean names: ")
	require.Contains(t, stderr.String(), "clean session \"bad\": ")
	require.NoFileExists(t, env)
	require.NoFileExists(t, filepath.Join(sessions, "good.log"))
}
