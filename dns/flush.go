package dns

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// flushTime bounds the emptying of the system's cache. It takes some
// milliseconds; a service that does not answer must not keep a session waiting.
const flushTime = 3 * time.Second

// cache is what the system remembers of names, which may outlast a change of the
// hosts file: that a name does not exist, above all.
type cache struct {
	commands [][]string    // each empties a part of it
	within   time.Duration // for all of them; 0 means flushTime
}

// flush empties the cache. Every command is tried; the error is that of all.
func (c cache) flush(ctx context.Context) error {
	// The file is written: that its caller gives up now is no reason to leave
	// programs with the old names.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(c.within, flushTime))
	defer cancel()
	var errs []error
	for _, command := range c.commands {
		errs = append(errs, runCommand(ctx, command))
	}
	return errors.Join(errs...)
}

// flushAfter flushes the cache if report says that the file at path was written,
// and if it is the one that the system reads.
func (c cache) flushAfter(ctx context.Context, report Report, path string) error {
	if !report.Wrote || path != systemHosts() {
		return nil
	}
	if err := c.flush(ctx); err != nil {
		return fmt.Errorf("flush name cache: %w", err)
	}
	return nil
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
