package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseCgroupRoots(t *testing.T) {
	for name, test := range map[string]struct {
		mountinfo string
		roots     []string
	}{
		"version 2": {
			mountinfo: "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n" +
				"31 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n",
			roots: []string{"/sys/fs/cgroup"},
		},
		"hybrid, and no optional fields": {
			mountinfo: "23 1 0:21 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n" +
				"24 23 0:22 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n" +
				"25 23 0:23 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			roots: []string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"},
		},
		"none":   {mountinfo: "31 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"},
		"broken": {mountinfo: "cgroup - cgroup\n\n - \n"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.roots, parseCgroupRoots(test.mountinfo))
		})
	}
}
