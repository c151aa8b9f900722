package e2e

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// manyServices is how many a large namespace has. How soon devtun is ready for them,
// 'make bench' measures.
const manyServices = 500

// TestManyServicesThroughTheHelper has the helper open five hundred low ports, and
// write the hosts file once.
func TestManyServicesThroughTheHelper(t *testing.T) {
	n := newNamespace(t)
	var group errgroup.Group
	group.SetLimit(20)
	for i := range manyServices {
		group.Go(func() error {
			_, err := n.client.CoreV1().Services(n.name).Create(t.Context(), &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("service-%d", i)},
				Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "none"}, Ports: []corev1.ServicePort{
					{Name: "http", Port: 80}, {Name: "admin", Port: 8080},
				}},
			}, metav1.CreateOptions{})
			return err
		})
	}
	require.NoError(t, group.Wait())
	before := hostsFile(t)
	u := newUser(t, helperRule)
	writes := watchWrites(t, "/etc/hosts")
	d := u.forward("-n", n.name)
	require.Len(t, names(t), manyServices)
	require.Equal(t, 1, writes(), "writes to the hosts file")
	require.NotZero(t, d.helper())
	d.stop()
	require.Equal(t, 2, writes(), "one more takes the names out")
	require.Equal(t, before, hostsFile(t))
}

// watchWrites counts how often a file is replaced or closed after a write.
func watchWrites(t *testing.T, path string) (count func() int) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	_, err = unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_MOVED_TO|unix.IN_CLOSE_WRITE)
	require.NoError(t, err)
	total := 0
	return func() int {
		buffer := make([]byte, 64<<10)
		for {
			n, err := unix.Read(fd, buffer)
			if err != nil || n <= 0 {
				require.ErrorIs(t, err, unix.EAGAIN)
				return total
			}
			for at := 0; at+unix.SizeofInotifyEvent <= n; {
				length := int(binary.NativeEndian.Uint32(buffer[at+12:])) // inotify_event.len
				name := string(buffer[at+unix.SizeofInotifyEvent : at+unix.SizeofInotifyEvent+length])
				if strings.TrimRight(name, "\x00") == filepath.Base(path) {
					total++
				}
				at += unix.SizeofInotifyEvent + length
			}
		}
	}
}
