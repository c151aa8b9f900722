package statedir

import (
	"os"
	"path/filepath"
)

// Root is everybody's directory here.
func Root() string { return filepath.Join(ProgramData(), "devtun") }

// Own is this process's directory, which is everybody's.
func Own() (string, error) { return Root(), nil }

// ProgramData is the directory of the machine's programs for what all users share.
func ProgramData() string {
	if dir := os.Getenv("ProgramData"); dir != "" {
		return dir
	}
	return `C:\ProgramData`
}
