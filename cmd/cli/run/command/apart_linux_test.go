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

// TestApart: a program with a folder and a session of its own. Its whole process group is
// asked to end, and killed where it does not.
func TestApart(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "here")
	require.NoError(t, os.WriteFile(script, []byte(`#!/bin/sh
echo "$PWD $(cut -d' ' -f5,6,7 /proc/$$/stat) $$"
(trap 'echo child >child; exit' TERM; : >trapped; while :; do sleep 0.01; done) &
trap 'echo bye >said; wait; exit 3' TERM
while :; do sleep 0.01; done
`), 0o755))
	var out bytes.Buffer
	ctx, end := context.WithCancel(t.Context())
	defer end()
	c := Command{Args: []string{"./here"}, Dir: dir, Apart: true, Out: &out}
	require.NoError(t, c.Check())
	code := make(chan int, 1)
	go func() {
		got, err := c.Run(ctx)
		require.NoError(t, err)
		code <- got
	}()
	appears(t, filepath.Join(dir, "trapped"))
	end()
	require.Equal(t, 3, <-code)
	for _, file := range []string{"said", "child"} {
		require.FileExists(t, filepath.Join(dir, file))
	}
	said := strings.Fields(out.String())
	require.Equal(t, dir, said[0])
	require.Equal(t, []string{said[4], said[4], "0"}, said[1:4], "its own group and session, and no terminal")

	trapped := filepath.Join(dir, "trapped")
	require.NoError(t, os.Remove(trapped))
	stubborn := Command{Args: []string{"sh", "-c", "trap '' TERM; : >trapped; while :; do sleep 0.01; done"}, Apart: true,
		Dir: dir, Grace: 30 * time.Millisecond, RestGrace: 10 * time.Millisecond}
	ctx, end = context.WithCancel(t.Context())
	defer end()
	go func() {
		got, err := stubborn.Run(ctx)
		require.NoError(t, err)
		code <- got
	}()
	appears(t, trapped)
	end()
	require.Equal(t, 128+9, <-code)

	nowhere := Command{Args: []string{"sh"}, Dir: filepath.Join(dir, "none")}
	require.EqualError(t, nowhere.Check(), "start sh: there is no folder "+nowhere.Dir)
}

// appears waits for a file.
func appears(t *testing.T, path string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := os.Stat(path)
		return err == nil
	}, 10*time.Second, 5*time.Millisecond)
}
