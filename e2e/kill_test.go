package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// killers is how many devtuns live at a time.
	killers = 2
	// lineTimeout bounds how long a line is out of sight: until the next devtun
	// brings back what the killed one had just replaced.
	lineTimeout = 20 * time.Second
)

// TestKilledAtAnyTime kills devtuns while services come and go and while foreign
// programs write to the hosts file, one in place and one by renaming. Whatever
// those have written is there in the end, and nothing of devtun's.
func TestKilledAtAnyTime(t *testing.T) { killedAtAnyTime(t, 12, 16) }

func killedAtAnyTime(t *testing.T, asRoot, asUser int) {
	t.Run("as root", func(t *testing.T) {
		killAtAnyTime(t, asRoot, func(t *testing.T, args ...string) *devtun {
			return launchForward(t, kubeconfig(), args...)
		}, (*devtun).kill)
	})
	// The main process, the helper, or both, in either order.
	t.Run("as a user", func(t *testing.T) {
		u := newUser(t, helperRule)
		killAtAnyTime(t, asUser, func(t *testing.T, args ...string) *devtun {
			return launch(t, u.command(devtunPath(), append([]string{"forward", "-o", "json"}, args...)...))
		}, func(d *devtun) {
			helper := d.helper()
			order := rand.IntN(4)
			if helper != 0 && order < 2 {
				syscall.Kill(helper, syscall.SIGKILL) // it may just have ended
			}
			if order == 0 {
				time.Sleep(rand.N(100 * time.Millisecond)) // for another helper, perhaps
			}
			d.cmd.Process.Kill() // without its helper it may have ended by itself before it was ready
			<-d.exited
			if helper != 0 && order == 2 {
				syscall.Kill(helper, syscall.SIGKILL)
			}
		})
	})
}

func killAtAnyTime(t *testing.T, kills int, start func(t *testing.T, args ...string) *devtun, kill func(*devtun)) {
	n := newNamespace(t).testserver("web", 0)
	before := hostsFile(t)
	t.Cleanup(func() { require.NoError(t, os.WriteFile("/etc/hosts", []byte(before), 0o644)) })
	whole := func() {
		t.Helper()
		d := start(t, "-n", n.name)
		d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
		d.stop()
	}
	began := time.Now()
	whole()
	lifetime := 3 * time.Since(began) // at most: some are to be ready before they are killed, some not
	var ready atomic.Int32
	lines := &foreignLines{path: "/etc/hosts"}
	writers := inBackground(t, 10*time.Millisecond, lines.append, lines.replace)
	services := inBackground(t, 50*time.Millisecond, n.toggleService)
	t.Run("kills", func(t *testing.T) {
		for i := range killers {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for k := range kills / killers {
					d := start(t, "-n", n.name)
					moment := rand.N(lifetime)
					switch k % 3 {
					case 1: // before it can be ready
						moment = 0
					case 2: // after it is, however long that takes beside others
						d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
					}
					select {
					case <-time.After(moment):
						kill(d)
						if slices.ContainsFunc(d.since(0), func(e event) bool { return e.Type == "ready" }) {
							ready.Add(1)
						}
					case <-d.exited:
						require.FailNow(t, "devtun ended by itself", "%v: %s", d.err, d.stderr.String())
					}
				}
			})
		}
	})
	require.NoError(t, services.stop())
	require.Positive(t, ready.Load())
	require.Less(t, ready.Load(), int32(kills))

	// The next start cleans up, with the writers still at work: one of them may
	// be waiting for a line that only devtun can bring back.
	whole()
	require.NoError(t, writers.stop())
	whole()

	content := hostsFile(t)
	require.True(t, strings.HasPrefix(content, before))
	require.NotContains(t, content, "devtun", "a stale block")
	require.Greater(t, len(lines.seen), kills)
	for _, line := range lines.seen {
		require.Equal(t, 1, strings.Count(content, line), "%q", line)
	}
	beside, err := filepath.Glob("/etc/.hosts*")
	require.NoError(t, err)
	saved, err := filepath.Glob("/etc/hosts?*devtun*")
	require.NoError(t, err)
	require.Empty(t, append(beside, saved...))
	t.Logf("%d foreign lines survived %d kills within %v, %d of devtuns that were ready", len(lines.seen), kills,
		lifetime.Round(time.Millisecond), ready.Load())
}

// toggleService makes a service, or deletes it again.
func (n *namespace) toggleService(ctx context.Context, round int) error {
	services := n.client.CoreV1().Services(n.name)
	if round%2 == 1 {
		return services.Delete(ctx, "fleeting", metav1.DeleteOptions{})
	}
	_, err := services.Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "fleeting"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	return err
}

// foreignLines are lines that two foreign programs add to a hosts file. They
// take turns, since without any devtun they would lose each other's lines, and
// each waits until its line is to be seen: what it has not seen there was
// perhaps never written.
type foreignLines struct {
	path string
	turn sync.Mutex
	seen []string
}

// append adds a line in place, as `echo >>` does.
func (f *foreignLines) append(_ context.Context, round int) error {
	return f.add(fmt.Sprintf("10.0.0.1\tappended-%d.test\n", round), func(line string) error {
		file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		_, err = file.WriteString(line)
		return errors.Join(err, file.Close())
	})
}

// replace renames a new version over the file, as editors do. It makes that of a
// version with all lines there: a devtun killed at the wrong moment leaves a line
// beside the file, for the next one to bring back, and what a program writes that
// has read the file meanwhile is that program's own word.
func (f *foreignLines) replace(_ context.Context, round int) error {
	return f.add(fmt.Sprintf("10.0.0.2  renamed-%d.test\n", round), func(line string) error {
		content, err := f.read(f.seen...)
		if err != nil {
			return err
		}
		draft := f.path + ".draft"
		if err := os.WriteFile(draft, append(content, line...), 0o644); err != nil {
			return err
		}
		return os.Rename(draft, f.path)
	})
}

// add writes a line and waits until it is in the file.
func (f *foreignLines) add(line string, write func(line string) error) error {
	f.turn.Lock()
	defer f.turn.Unlock()
	if err := write(line); err != nil {
		return err
	}
	if _, err := f.read(line); err != nil {
		return err
	}
	f.seen = append(f.seen, line)
	return nil
}

// read waits until all lines are in the file and returns its content.
func (f *foreignLines) read(lines ...string) (content []byte, err error) {
	for late := time.Now().Add(lineTimeout); time.Now().Before(late); time.Sleep(time.Millisecond) {
		if content, err = os.ReadFile(f.path); err != nil {
			return nil, err
		}
		missing := slices.IndexFunc(lines, func(line string) bool { return !bytes.Contains(content, []byte(line)) })
		if missing < 0 {
			return content, nil
		}
		err = fmt.Errorf("line %q is not in the hosts file", lines[missing])
	}
	return nil, err
}
