package handover

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// File is an env file to write.
type File struct {
	Path   string
	Format Format // empty: as the path suggests
}

// Config says what to hand over, and where.
type Config struct {
	Ledger Ledger
	Files  []File // may be empty
	Folder string // for the mounted files; empty: none
	// Mounts are the absolute paths of the container's mounts. What is mounted at
	// one of them changes as a whole; without them it is the outermost directory.
	Mounts []string
	Keep   bool // leave everything at the end
	// Notice is told what the user should know: variables that a file does not
	// carry, files that cannot be read, files that were left. Nil drops it. It
	// must not wait.
	Notice func(text string)
}

// Handover is the env files and the folder of one session. Its owner opens it,
// runs Follow, and closes it when that has returned.
type Handover struct {
	config Config
	files  []*envFile
	folder *folder
	tree   *tree
	named  []string      // see Include
	ready  chan struct{} // closed once everything has come for the first time
	sum    string        // of the files that are there
	told   string        // the error that was last told

	mu          sync.Mutex
	environment []string
}

// Open claims the paths, without writing to them. It fails, among others, with
// a *ForeignError if something is there already that devtun has not written, and
// with a *BusyError if another session writes there.
func Open(config Config) (*Handover, error) {
	config.Files = slices.Clone(config.Files)
	h := &Handover{config: config, ready: make(chan struct{})}
	for i, file := range config.Files {
		if file.Format == "" {
			config.Files[i].Format = FormatOf(file.Path)
		}
		opened, err := openFile(config.Ledger, file.Path)
		if err != nil {
			return nil, errors.Join(&DiskError{"open env file", err}, h.Close())
		}
		h.files = append(h.files, opened)
	}
	if config.Folder != "" {
		opened, err := openFolder(config.Ledger, config.Folder, mountsWithin(config.Mounts))
		if err != nil {
			return nil, errors.Join(&DiskError{"open folder for files", err}, h.Close())
		}
		h.folder = opened
	}
	return h, nil
}

// Show has the files of a container's mounts, absolute paths, in an empty directory of the
// caller's as well, below it by their paths: each as it is mounted in a pod, and followed as
// there (see tree). Each mount is there by Ready, a volume without files as an empty
// directory. It is to be called before Follow.
func (h *Handover) Show(dir string, mounts []string) { h.tree = newTree(dir, mounts) }

// Include has variables handed over although they may describe an image, since the manifest
// names them. It is to be called before Follow.
func (h *Handover) Include(names []string) { h.named = names }

// Ready is closed once the environment, and the files if they are wanted, have
// come for the first time and are on disk.
func (h *Handover) Ready() <-chan struct{} { return h.ready }

// Command is the environment for a command on this machine, own being this process's. It is
// to be called once Ready.
func (h *Handover) Command(own []string) []string {
	return Command(own, h.Environment(), h.named...)
}

// Environment is what came last, NAME=VALUE; nil before Ready.
func (h *Handover) Environment() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.environment
}

// Count is how many variables came that a command gets, and how many files. Call it once
// Follow has returned.
func (h *Handover) Count() (variables, files int) {
	if h.folder != nil {
		files = len(h.folder.files)
	}
	return len(portable(h.Environment(), h.named)), files
}

// Close removes what was written, or keeps it if that is wanted. What somebody
// has changed meanwhile is left, and reported as a *ForeignError. A second call
// does nothing.
func (h *Handover) Close() error {
	var errs []error
	end := func(removes, keeps func() error) {
		if h.config.Keep {
			removes = keeps
		}
		errs = append(errs, removes())
	}
	if h.folder != nil {
		end(h.folder.remove, h.folder.keep)
	}
	for _, file := range h.files {
		end(file.remove, file.keep)
	}
	h.files, h.folder = nil, nil
	return errors.Join(errs...)
}

func (h *Handover) notice(format string, args ...any) {
	if h.config.Notice != nil {
		h.config.Notice(fmt.Sprintf(format, args...))
	}
}
