package cluster

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMissing(t *testing.T) {
	have := func(absent ...string) func(string) (string, error) {
		return func(name string) (string, error) {
			for _, a := range absent {
				if a == name {
					return "", exec.ErrNotFound
				}
			}
			return "/bin/" + name, nil
		}
	}
	require.Empty(t, missing(needed, have()))
	require.Equal(t, []string{"iproute2"}, missing(needed, have("ip")))
	require.Equal(t, []string{"containerd", "etcd-server"}, missing(needed, have("ctr", "etcd", "containerd")),
		"each package once")
}
