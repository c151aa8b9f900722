package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
)

// state is what a cluster's directory remembers about what runs and what lies
// outside of it. It is written before the thing it speaks of is made.
type state struct {
	// ID names what the cluster has on the host; Dir is the directory it was
	// made in and named after.
	ID  string
	Dir string
	// Block holds the cluster's addresses.
	Block netip.Prefix
	Shape Shape
	// PIDs are those of each node's PID 1, as the host counts; 0 before there is one.
	PIDs [MaxNodes]int
	// Programs are what the nodes run.
	Programs programs
}

func (s state) network() network { return network{s.Block} }

// device is the host's end of the link. Linux allows 15 bytes.
func (s state) device() string { return "dt" + s.ID }

// cgroup is the cluster's share of every cgroup hierarchy, and the first node's.
func (s state) cgroup() string { return "devtun-" + s.ID }

// nodeCgroup is the share of the node of a number.
func (s state) nodeCgroup(number int) string {
	if number == 1 {
		return s.cgroup()
	}
	return path.Join(s.cgroup(), nodeName(number))
}

// newState is the state of a directory's cluster before there is anything of it.
// The id is derived from the directory, so that even when the state is lost what
// is left on the host can be found again.
func newState(dir string) state {
	sum := sha256.Sum256([]byte(dir))
	return state{ID: hex.EncodeToString(sum[:4]), Dir: dir}
}

const stateFile = "state.json"

// loadState reads the state. A directory without one has the zero state; so has
// one whose state makes no sense: whatever it spoke of is found by its id.
func loadState(dir string) (state, error) {
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return state{}, fmt.Errorf("load state: %w", err)
	}
	var s state
	if json.Unmarshal(data, &s) != nil || s.ID == "" {
		s = newState(dir)
	}
	return s, nil
}

// draftSuffix is that of a file being written.
const draftSuffix = ".draft"

// saveState replaces the state, whole or not at all.
func saveState(dir string, s state) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	file := filepath.Join(dir, stateFile)
	if err := os.WriteFile(file+draftSuffix, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	if err := os.Rename(file+draftSuffix, file); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}
