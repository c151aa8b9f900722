// Package version says which devtun this is.
package version

import "runtime/debug"

// Version is set by the linker in a release.
var Version string

// String is Version, or what the Go toolchain recorded of the source.
func String() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
