package leftover

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Take looks at what the machine has, as the caller sees it: its own mount and
// network namespace. Folders are dirs or, if there are none, the machine's
// temporary ones; of each only the entries themselves count.
func Take(ctx context.Context, dirs ...string) (*Snapshot, error) {
	s := &Snapshot{
		dirs:       dirs,
		mounts:     make(map[mount]int),
		links:      make(map[string]string),
		namespaces: make(map[string]bool),
		users:      make(map[string]bool),
		groups:     make(map[string]bool),
		cgroups:    make(map[cgroup]bool),
		files:      make(map[string]bool),
	}
	for _, take := range []func() error{
		s.takeProcesses, s.takeMounts, s.takeLinks, s.takeNames, s.takeFiles,
	} {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("look for leftovers: %w", err)
		}
		if err := take(); err != nil {
			return nil, fmt.Errorf("look for leftovers: %w", err)
		}
	}
	return s, nil
}

// takeMounts reads the mounts, and the cgroups where hierarchies are mounted.
func (s *Snapshot) takeMounts() error {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(string(info)) {
		m, ok := parseMount(line)
		if !ok {
			continue
		}
		s.mounts[m]++
		if (m.kind == "cgroup" || m.kind == "cgroup2") && !seen[m.point] {
			seen[m.point] = true
			if err := s.takeCgroups(m.point); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseMount reads a line of the format of proc(5), "mountinfo": the fourth
// field is what part of the file system is mounted, the fifth where, and the
// first one after a dash is the file system.
func parseMount(line string) (mount, bool) {
	place, kind, ok := strings.Cut(line, " - ")
	fields, kinds := strings.Fields(place), strings.Fields(kind)
	if !ok || len(fields) < 5 || len(kinds) < 1 {
		return mount{}, false
	}
	return mount{point: unescape(fields[4]), kind: kinds[0], root: unescape(fields[3])}, true
}

// unescape reads \040 and the like, as there are for blanks.
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// deepest is how far below the root of a hierarchy cgroups are looked for. Only
// the topmost new one is ever told of.
const deepest = 8

func (s *Snapshot) takeCgroups(root string) error {
	name := filepath.Base(root) // memory, unified
	if root == "/sys/fs/cgroup" {
		name = "" // version 2, alone
	}
	return filepath.WalkDir(root, func(p string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			return nil // it has just gone, or is not for the caller to see
		case err != nil:
			return err
		case !entry.IsDir() || p == root:
			return nil
		}
		below := strings.TrimPrefix(p, root)
		s.cgroups[cgroup{name, below}] = true
		if strings.Count(below, "/") >= deepest {
			return fs.SkipDir
		}
		return nil
	})
}

// takeLinks reads the network links and the named network namespaces, which are
// where iproute2 has them.
func (s *Snapshot) takeLinks() error {
	links, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("list network links: %w", err)
	}
	for _, link := range links {
		bridge, _ := os.Readlink(filepath.Join("/sys/class/net", link.Name, "master")) // most have none
		s.links[link.Name] = ""
		if bridge != "" {
			s.links[link.Name] = filepath.Base(bridge)
		}
	}
	return list("/run/netns", s.namespaces)
}

// takeNames reads the names of users and groups.
func (s *Snapshot) takeNames() error {
	for file, names := range map[string]map[string]bool{"/etc/passwd": s.users, "/etc/group": s.groups} {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if name, _, ok := strings.Cut(line, ":"); ok {
				names[name] = true
			}
		}
	}
	return nil
}

// takeFiles reads the entries of temporary folders.
func (s *Snapshot) takeFiles() error {
	dirs := s.dirs
	if len(dirs) == 0 {
		dirs = []string{os.TempDir(), "/tmp", "/var/tmp", "/run", "/dev/shm"}
	}
	for _, dir := range dirs {
		if err := list(dir, s.files); err != nil {
			return err
		}
	}
	return nil
}

// list adds the paths of a folder's entries to a set. A folder that is not there
// has none.
func list(dir string, to map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		to[filepath.Join(dir, entry.Name())] = true
	}
	return nil
}
