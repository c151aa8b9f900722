package version

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecorded(t *testing.T) {
	built := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef"}
	require.Equal(t, "v1.2.3", recorded(built("v1.2.3", revision)), "by go install")
	require.Equal(t, "0123456789ab", recorded(built("(devel)", revision)))
	require.Equal(t, "0123456789ab-dirty",
		recorded(built("(devel)", revision, debug.BuildSetting{Key: "vcs.modified", Value: "true"})))
	require.Equal(t, "devel", recorded(built("(devel)")))
}
