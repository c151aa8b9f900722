package project

import (
	"os"
	"path/filepath"
	"strings"
)

// Find is the path of the project file of this folder, or else of the nearest one above it,
// from here; Name if there is none.
func Find() string {
	folder, err := os.Getwd()
	if err != nil {
		return Name
	}
	for path := Name; ; path = filepath.Join("..", path) {
		if info, err := os.Stat(filepath.Join(folder, Name)); err == nil && !info.IsDir() {
			return path
		}
		above := filepath.Dir(folder)
		if above == folder {
			return Name
		}
		folder = above
	}
}

// Local is the path of the file that goes over a project file: devtun.local.yaml for
// devtun.yaml. It is one developer's own.
func Local(path string) string {
	extension := filepath.Ext(path)
	return strings.TrimSuffix(path, extension) + ".local" + extension
}
