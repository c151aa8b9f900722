package cluster

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// pauseFile is the tarball of the pause image.
const pauseFile = "pause.tar"

// contents are the entries of a cluster's directory, in the order in which they
// are made; they are removed in reverse, so that the state is there for as long as
// there is something it speaks of.
var contents = []string{stateFile, stateFile + draftSuffix, "kubeconfig", pauseFile, "bin", "log", "pki", "etc", "var",
	"nodes"}

// checkDirectory refuses a directory that holds anything but a cluster, since
// what is in a cluster's directory is one day removed.
func checkDirectory(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if len(names) == 0 || slices.Contains(names, stateFile) || slices.Equal(names, []string{stateFile + draftSuffix}) {
		return nil
	}
	if cgroupsExist(newState(dir).cgroup()) {
		return nil // deleted, in part, under a running node
	}
	return fmt.Errorf("%s holds %s but no cluster\nhint: name a new or an empty directory", dir, names[0])
}

// populate writes the files of a cluster's directory. No node has been started
// yet: if this ends half-way, the next Up begins anew.
func populate(dir string, s state) error {
	files, err := credentials(s.network(), s.Shape.Nodes)
	if err != nil {
		return err
	}
	links := map[string]string{"bin/kubectl": s.Programs.Kubernetes}
	directories := []string{"bin"}
	for number := 1; number <= s.Shape.Nodes; number++ {
		home := homeOf(number)
		for _, sub := range []string{"log", "pki", "etc/cni", "var/lib", "var/log", "var/tmp", "var/cache"} {
			directories = append(directories, path.Join(home, sub))
		}
		for file, data := range configuration(s, number, snapshotter(dir)) {
			files[path.Join(home, file)] = data
		}
		links[path.Join(home, "var/run")] = "/run"
	}
	for _, directory := range directories {
		if err := os.MkdirAll(filepath.Join(dir, directory), 0o755); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	for file, data := range files {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	for link, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	return savePause(s.Programs.Pause, filepath.Join(dir, pauseFile))
}
