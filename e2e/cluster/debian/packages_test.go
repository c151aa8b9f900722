package debian

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
	programs := map[string]string{"ip": "iproute2", "etcd": "etcd-server",
		"ctr": "containerd", "containerd": "containerd"}
	require.Empty(t, missing(programs, have()))
	require.Equal(t, []string{"iproute2"}, missing(programs, have("ip")))
	require.Equal(t, []string{"containerd", "etcd-server"}, missing(programs, have("ctr", "etcd", "containerd")),
		"each package once")
}
