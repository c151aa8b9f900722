package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/devtun/devtun/tunnel"
)

// stallFor is how long a paused download pauses, and an upload is not read.
const stallFor = 3 * time.Second

// TestAPausedDownloadHarmsNoNewConnection: those beside it take no longer than those
// of another devtun do at the same time, which has none.
func TestAPausedDownloadHarmsNoNewConnection(t *testing.T) {
	pausedDownload(t, sharedWeb(t), portForward)
}

func pausedDownload(t *testing.T, n *namespace, by way) {
	d := by.start(t, "-n", n.name)
	addr := d.addr("web", 80)
	other := by.start(t, "-n", n.name, "--hosts-file", ownHosts(t)).addr("web", 80)

	response, err := http.Get(fmt.Sprintf("http://%s/bytes?n=%d", addr, gigabyte))
	require.NoError(t, err)
	defer response.Body.Close()
	const read = 50 << 20
	_, err = io.CopyN(io.Discard, response.Body, read)
	require.NoError(t, err)

	beside, alone := startLoad(t, addr, 25), startLoad(t, other, 25)
	<-time.After(stallFor) // the reader's pause is what is tested
	took, usual := beside.finish(t), alone.finish(t)
	t.Logf("%d requests beside it: p50 %v, p90 %v, longest %v; the other devtun's: %v, %v, %v", len(took),
		percentile(took, 50), percentile(took, 90), took[len(took)-1], percentile(usual, 50), percentile(usual, 90),
		usual[len(usual)-1])
	require.Less(t, percentile(took, 90), 4*percentile(usual, 90))

	left, err := io.CopyN(io.Discard, response.Body, read)
	require.NoError(t, err, "and the download goes on")
	require.EqualValues(t, read, left)
}

// ownHosts is a hosts file for one devtun beside another.
func ownHosts(t *testing.T) string {
	t.Helper()
	hosts := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.WriteFile(hosts, nil, 0o600))
	return hosts
}

// TestTroubleStaysWithItsConnection has clients do what breaks other tunnels,
// beside one that keeps asking on a connection of its own and one on new ones.
func TestTroubleStaysWithItsConnection(t *testing.T) { troubleStays(t, sharedWeb(t), portForward) }

func troubleStays(t *testing.T, n *namespace, by way) {
	for name, trouble := range map[string]func(t *testing.T, d *devtun){
		"refused port": func(t *testing.T, d *devtun) {
			conn := dial(t, d.addr("web", 7999))
			_, err := conn.Read(make([]byte, 1))
			require.Error(t, err)
		},
		"reset by the server": func(t *testing.T, d *devtun) {
			conn := dial(t, d.addr("web", 7002))
			fmt.Fprintln(conn, "x")
			_, err := io.ReadAll(conn)
			require.Error(t, err)
		},
		"aborted download": func(t *testing.T, d *devtun) {
			conn := dial(t, d.addr("web", 7004))
			fmt.Fprintln(conn, gigabyte)
			_, err := io.CopyN(io.Discard, conn, 10<<20)
			require.NoError(t, err)
			conn.SetLinger(0)
			conn.Close()
		},
		"upload that the server resets": func(t *testing.T, d *devtun) {
			uploadUntilReset(t, d)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := by.start(t, "-n", n.name)
			addr := d.addr("web", 80)
			kept := keep(t, addr)
			asks := func() { require.NoError(t, kept.ask()) }
			asks()
			l := startLoad(t, addr, 20)
			for range 5 {
				trouble(t, d)
				asks()
			}
			seen := l.count() + 20
			require.Eventually(t, func() bool { return l.count() > seen }, 20*time.Second, 10*time.Millisecond)
			took := l.finish(t)
			longest := took[len(took)-1]
			t.Logf("%d requests beside it: p50 %v, p99 %v, longest %v", len(took), percentile(took, 50), percentile(took, 99),
				longest)
			require.Less(t, longest, tunnel.DefaultHold/2, "none waited for an API connection that has no answer for it")
			asks()
		})
	}
}

// uploadUntilReset sends to a server that resets the connection at once.
func uploadUntilReset(t *testing.T, d *devtun) {
	conn := dial(t, d.addr("web", 7002))
	block := make([]byte, 1<<20)
	block[0] = '\n'
	for {
		if _, err := conn.Write(block); err != nil {
			return
		}
	}
}

// keeper has one connection, and asks again and again on it. It does without http.Transport,
// which leaves a connection whose request it is not sure to have written 50 ms after the
// answer, as on a busy machine.
type keeper struct {
	conn    net.Conn
	answers *bufio.Reader
}

func keep(t *testing.T, addr string) *keeper {
	conn := dial(t, addr)
	return &keeper{conn, bufio.NewReader(conn)}
}

func (k *keeper) ask() error {
	if err := k.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(k.conn, "GET /who HTTP/1.1\r\nHost: web\r\n\r\n"); err != nil {
		return err
	}
	response, err := http.ReadResponse(k.answers, nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// TestUploadsHarmNoneBesideThem: with more connections than API connections are
// opened for, and those far away, so that uploads share one with others.
func TestUploadsHarmNoneBesideThem(t *testing.T) {
	uploadsHarmNone(t, sharedWeb(t), portForward, stallFor)
}

func uploadsHarmNone(t *testing.T, n *namespace, by way, stallFor time.Duration) {
	p := newProxy(t)
	p.add("latency", 1, `{"latency":10}`)
	d := by.launch(t, p.kubeconfig(), "-n", n.name)
	d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
	addr := d.addr("web", 80)
	var all []*keeper
	for range 56 {
		all = append(all, keep(t, addr))
	}
	ask := func() {
		var asking errgroup.Group
		for _, k := range all {
			asking.Go(k.ask)
		}
		require.NoError(t, asking.Wait())
	}
	ask()
	for range 5 {
		uploadUntilReset(t, d)
		ask()
	}

	// One that the server does not read, for a while, and then ends.
	conn := dial(t, addr)
	fmt.Fprintf(conn, "GET /slow?d=%v HTTP/1.1\r\nHost: web\r\nContent-Length: %d\r\n\r\n", stallFor, gigabyte)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for block := make([]byte, 1<<20); ; {
			if _, err := conn.Write(block); err != nil {
				return
			}
		}
	}()
	asked := 0
	for over := false; !over; asked++ {
		ask()
		select {
		case <-ended:
			over = true
		default:
		}
	}
	require.Greater(t, asked, 2, "times that all were answered meanwhile")
	ask()
}
