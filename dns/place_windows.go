package dns

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// systemHosts asks the system where it lies: the environment is the user's.
func systemHosts() string {
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		dir = `C:\Windows\System32`
	}
	return filepath.Join(dir, "drivers", "etc", "hosts")
}
