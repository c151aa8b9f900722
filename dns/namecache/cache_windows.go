package namecache

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// system is the DNS client's. "ipconfig /flushdns" calls the undocumented
// DnsFlushResolverCache of dnsapi.dll. The program is named by its full path:
// one of that name in PATH or in the working directory is not to be run.
func system() cache {
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		return cache{}
	}
	return cache{commands: [][]string{
		{filepath.Join(dir, "ipconfig.exe"), "/flushdns"},
	}}
}
