// Package namecache empties what the system remembers of names, which may outlast a
// change of the hosts file.
package namecache

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// flushTimeout bounds the emptying of the system's cache. It takes some
// milliseconds; a service that does not answer must not keep a session waiting.
const flushTimeout = 3 * time.Second

// Flush empties what the system remembers of names: that one does not exist, above
// all. It does so even if ctx has ended.
func Flush(ctx context.Context) error { return system().flush(ctx) }

// cache is what the system remembers.
type cache struct {
	commands [][]string    // each empties a part of it
	timeout  time.Duration // for all of them; 0 means flushTimeout
}

// flush empties the cache. Every command is tried; the error is that of all.
func (c cache) flush(ctx context.Context) error {
	// The file is written: that its caller gives up now is no reason to leave
	// programs with the old names.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(c.timeout, flushTimeout))
	defer cancel()
	var errs []error
	for _, command := range c.commands {
		errs = append(errs, runCommand(ctx, command))
	}
	return errors.Join(errs...)
}

func runCommand(ctx context.Context, command []string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.WaitDelay = 100 * time.Millisecond
	out, err := cmd.CombinedOutput()
	if cause := ctx.Err(); err != nil && cause != nil {
		err = cause // rather than "signal: killed"
	}
	if err != nil {
		return fmt.Errorf("run %s: %w: %s", command, err, bytes.TrimSpace(out))
	}
	return nil
}
