package handover

import (
	"archive/tar"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/pause"
)

// Source is an agent's link, as *wire.Link is one.
type Source interface {
	// Environment is the container's: NAME=VALUE.
	Environment(ctx context.Context) ([]string, error)
	// ReadFiles waits until the files are unlike those of a sum, and gives them
	// to take. If it fails, what take was given may be incomplete.
	ReadFiles(ctx context.Context, unlike string, take func(wire.Files, *tar.Reader) error) error
}

const (
	// environmentTimeout bounds the question for the environment.
	environmentTimeout = 30 * time.Second

	// firstPause and lastPause are how long to wait after something has failed.
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// Follow writes what the links hand over, of which each takes the place of
// the one before, until ctx ends or links is closed. A link that is lost
// is no error: what is there stays until the next brings something else. If what
// comes first cannot be written, that is returned; later it is told as a notice,
// and tried again.
func (h *Handover) Follow(ctx context.Context, links <-chan Source) error {
	var serving sync.WaitGroup
	defer serving.Wait()
	var stop context.CancelFunc = func() {}
	defer func() { stop() }()
	failed := make(chan error)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case link, ok := <-links:
			stop()
			serving.Wait()
			if !ok {
				return nil
			}
			current, cancel := context.WithCancel(ctx)
			stop = cancel
			serving.Go(func() {
				if err := h.serve(current, link); err != nil {
					select {
					case failed <- err:
					case <-current.Done():
					}
				}
			})
		}
	}
}

// serve takes what a link hands over until ctx ends. It returns the error if
// what comes first cannot be written.
func (h *Handover) serve(ctx context.Context, link Source) error {
	backoff := pause.Backoff{Min: firstPause, Max: lastPause}
	for {
		err := h.take(ctx, link)
		var local *localError
		switch {
		case ctx.Err() != nil || err == nil:
			return nil
		case errors.As(err, &local) && !h.isReady():
			return local.err
		case !errors.Is(err, wire.ErrLost):
			h.tell(err)
		}
		if backoff.Sleep(ctx) != nil {
			return nil
		}
	}
}

// localError is one of this machine, not of the link.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// take takes the environment and then the files, again whenever they change. It
// returns on errors, and if there are no files to follow.
func (h *Handover) take(ctx context.Context, link Source) error {
	if err := h.takeEnvironment(ctx, link); err != nil {
		return err
	}
	for h.folder != nil || h.tree != nil {
		if err := h.takeFiles(ctx, link); err != nil {
			return err
		}
		h.setReady()
	}
	h.setReady()
	return nil
}

func (h *Handover) takeEnvironment(ctx context.Context, link Source) error {
	ctx, cancel := context.WithTimeout(ctx, environmentTimeout)
	defer cancel()
	environment, err := link.Environment(ctx)
	if err != nil || slices.Equal(environment, h.Environment()) {
		return err
	}
	variables := portable(environment, h.named) // as for a command: who reads the file runs here
	for i, file := range h.files {
		content, gaps := h.config.Files[i].Format.Encode(variables)
		if err := file.write(content); err != nil {
			return &localError{err}
		}
		h.tellGaps(file.record.Path, gaps)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.environment = environment
	return nil
}

func (h *Handover) takeFiles(ctx context.Context, link Source) error {
	var about wire.Files
	var files map[string]string
	var coming *stream
	err := link.ReadFiles(ctx, h.sum, func(f wire.Files, archive *tar.Reader) (err error) {
		about, coming = f, newStream(archive)
		if h.folder != nil {
			files, err = h.folder.receive(coming)
		} else {
			files, err = h.tree.receive(coming)
		}
		return err
	})
	if err == nil {
		err = h.put(files, coming.modes)
	}
	if err != nil {
		return err
	}
	h.sum = about.Sum
	if about.Unreadable > 0 {
		h.notice("the agent may not read %d of the container's files, among them %s", about.Unreadable, about.First)
	}
	return nil
}

// put has files that were received in their places.
func (h *Handover) put(files map[string]string, modes map[string]fs.FileMode) error {
	if h.tree != nil {
		from := h.tree.dir
		if h.folder != nil {
			from = h.folder.record.Path
		}
		if err := h.tree.put(filepath.Join(from, arriving), files, modes); err != nil {
			return &localError{err}
		}
	}
	if h.folder == nil {
		return nil
	}
	moved, err := h.folder.swapIn(files)
	for _, name := range moved {
		h.notice("somebody has changed a file in %s; it is now %s", h.folder.record.Path, name)
	}
	if err != nil {
		return &localError{err}
	}
	return nil
}

func (h *Handover) isReady() bool {
	select {
	case <-h.ready:
		return true
	default:
		return false
	}
}

func (h *Handover) setReady() {
	h.told = ""
	if !h.isReady() {
		close(h.ready)
	}
}

// tell tells of an error, once while it stays the same.
func (h *Handover) tell(err error) {
	if text := err.Error(); text != h.told {
		h.told = text
		h.notice("handing over: %s", text)
	}
}

// tellGaps tells what an env file does not carry.
func (h *Handover) tellGaps(path string, gaps []Gap) {
	for _, gap := range gaps {
		if gap.Left {
			h.notice("%s is not in %s: %s", gap.Name, path, gap.Why)
		} else {
			h.notice("%s in %s: %s", gap.Name, path, gap.Why)
		}
	}
}
