// Package version says which devtun this is.
package version

import (
	"cmp"
	"runtime/debug"
)

// Version is set by the linker, by 'make build' and in a release: what git describes.
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
	return recorded(info)
}

// recorded is the version of the module (with 'go install'), or else the commit.
func recorded(info *debug.BuildInfo) string {
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	revision := settings["vcs.revision"]
	said := cmp.Or(revision[:min(len(revision), 12)], "devel")
	if settings["vcs.modified"] == "true" {
		said += "-dirty"
	}
	return said
}
