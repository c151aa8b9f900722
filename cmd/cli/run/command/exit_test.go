//go:build unix

package command

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExitCode(t *testing.T) {
	for script, want := range map[string]int{
		"exit 0":         0,
		"exit 7":         7,
		"exit 255":       255,
		"kill -TERM $$":  128 + 15,
		"kill -KILL $$":  128 + 9,
		"exec false":     1,
		"(exit 3) || :":  0,
		"nosuchprogram_": 127, // the shell's own
	} {
		c := Command{Args: []string{"sh", "-c", script}}
		code, err := c.Run(t.Context())
		require.NoError(t, err, script)
		require.Equal(t, want, code, script)
	}
}

func TestNotStarted(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
		return path
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	write("plain", "#!/bin/sh\n", 0o644)
	for name, want := range map[string]struct {
		code int
		text string
	}{
		"nosuchprogram_":            {127, "not found"},
		"./nosuchprogram_":          {127, "no such file"},
		"plain":                     {126, "permission denied"},
		filepath.Join(dir, "plain"): {126, "permission denied"},
		dir:                         {126, "is a directory"},
		write("text", "neither script nor program\n", 0o755): {126, "exec format error"},
		write("orphan", "#!/nosuchinterpreter_\n", 0o755):    {127, "no such file"},
	} {
		c := Command{Args: []string{name}}
		code, err := c.Run(t.Context())
		var failure *StartError
		require.ErrorAs(t, err, &failure, name)
		require.Equal(t, want.code, code, name)
		require.Equal(t, want.code, failure.Code(), name)
		require.Contains(t, err.Error(), "start "+name+": ")
		require.Contains(t, err.Error(), want.text)
	}
	_, err := (&Command{}).Run(t.Context())
	require.Error(t, err)
}

func TestStreamsAndWords(t *testing.T) {
	var out, complaint bytes.Buffer
	odd := "not UTF-8: \xff"
	c := Command{
		Args: []string{"sh", "-c", `printf '%s|%s|%s|' "$0" "$1" "$WORD"; cat; echo oops >&2`, "zero", odd},
		Env:  []string{"PATH=" + os.Getenv("PATH"), "WORD=" + odd},
		In:   strings.NewReader("input"), Out: &out, Err: &complaint,
	}
	code, err := c.Run(t.Context())
	require.NoError(t, err)
	require.Zero(t, code)
	require.Equal(t, "zero|"+odd+"|"+odd+"|input", out.String())
	require.Equal(t, "oops\n", complaint.String())
}

func TestContextEnds(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   int
		grace  time.Duration
	}{
		"program that ends": {`trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done`, 5, 0},
		"program that will not": {`trap '' TERM; echo ready; while :; do sleep 0.01; done`, 128 + 9,
			100 * time.Millisecond},
		"program that is stopped": {`echo ready; kill -STOP $$`, 128 + 15, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			out := lines(cancel)
			program := Command{Args: []string{"sh", "-c", c.script}, Out: out, Grace: c.grace}
			code, err := program.Run(ctx)
			require.NoError(t, err)
			require.Equal(t, c.want, code)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&Command{Args: []string{"true"}}).Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// lines is a writer that calls act for each write.
type lines func()

func (act lines) Write(p []byte) (int, error) {
	act()
	return len(p), nil
}
