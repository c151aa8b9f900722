//go:build soak

package e2e

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/podproxy"
	"github.com/devtun/devtun/intercept/wire"
)

const (
	// upgradeAsked asks an agent's port for the pod proxy to be a link's.
	upgradeAsked = "GET / HTTP/1.1\r\nHost: pod\r\nConnection: Upgrade\r\nUpgrade: " + podproxy.Protocol + "\r\n\r\n"

	// strangersKept is how long a stranger is kept at most.
	strangersKept = 10 * time.Second

	// crowd is how many come at once.
	crowd = 1000
)

// TestSoakStrangersAtTheLinksPort: other pods get nothing from an agent's or a relay's port on
// the pod network, and keep nobody out.
//
//e2e:alone
func TestSoakStrangersAtTheLinksPort(t *testing.T) {
	t.Run("of an intercept's agent", func(t *testing.T) {
		n := newNamespace(t).chain().testserver("hostile", 1)
		local, other := newLocalProcess(t), newLocalProcess(t)
		local.start()
		other.start()
		d := n.intercept("--no-forward", "--port", local.port())
		d.way("proxy")
		n.strangersGetNothing(func() { n.answeredBy(developerSays) }, func() {
			o := n.intercept("--no-forward", "--port", other.port(), "--header", "x-other=1")
			o.way("proxy")
			o.stop()
		})
		d.stop()
		n.noAgents()
	})
	t.Run("of a relay", func(t *testing.T) {
		n, by := newNamespace(t).testserver("web", 1).testserver("hostile", 1), relayBy("proxy")
		d := by.start(t, "-n", n.name)
		web := d.addr("web", 80)
		n.strangersGetNothing(func() { require.NoError(t, askAtOnce(web, 16, recoverTime)) }, func() {
			by.start(t, "-n", n.name, "--hosts-file", ownHosts(t)).stop()
		})
		requireUnmoved(t, d, "web", web)
		d.stop()
		n.noRelay()
	})
}

// strangersGetNothing has a pod of the namespace do to one of its agents what their sessions do
// not. Goes asks whether the session that stands goes on, and another has one come beside it.
func (n *namespace) strangersGetNothing(goes, another func()) {
	t, agent, hostile := n.t, n.linked()[0], n.pods("hostile")[0]
	at := net.JoinHostPort(agent.Status.PodIP, strconv.Itoa(proxyPort))
	s := newStranger(t, agent)
	from := func(t *testing.T, at string) *net.TCPConn {
		conn, err := dialFrom(hostile, at)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	t.Run("the link's own port", func(t *testing.T) {
		conn := from(t, net.JoinHostPort(agent.Status.PodIP, strconv.Itoa(s.config.LinkPort)))
		_, err := conn.Read(make([]byte, 1))
		require.ErrorContains(t, err, "reset", "it could not connect")
	})
	t.Run("without a word that counts", func(t *testing.T) {
		for name, says := range map[string]string{
			"nothing": "", "garbage": strings.Repeat("\xff", 1<<10), "a request": "GET / HTTP/1.1\r\nHost: pod\r\n\r\n",
			"an endless request": "GET / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 10<<10),
			"no handshake":       upgradeAsked, "half a handshake": upgradeAsked + "\x16\x03\x01\x40\x00\x01",
			"an endless handshake": upgradeAsked + strings.Repeat("\x16\x03\x01\x40\x00\x01\x00\xff\xff"+
				strings.Repeat("\x00", 1<<14-4), 8),
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				began, conn := time.Now(), from(t, at)
				_, _ = io.WriteString(conn, says) // it may be ended before all is said
				answer, _ := io.ReadAll(conn)
				require.Less(t, time.Since(began), strangersKept, "it is not kept")
				require.False(t, bytes.Contains(answer, []byte("200 OK")), "%s", answer)
			})
		}
		t.Run("byte by byte", func(t *testing.T) {
			t.Parallel()
			began, conn := time.Now(), from(t, at)
			require.NoError(t, conn.SetNoDelay(true))
			slowly := time.NewTicker(100 * time.Millisecond)
			defer slowly.Stop()
			for i := 0; time.Since(began) < strangersKept; i++ {
				<-slowly.C
				if _, err := conn.Write([]byte{upgradeAsked[i%len(upgradeAsked)]}); err != nil {
					return
				}
			}
			require.Fail(t, "it is kept")
		})
	})
	said, link := s.links(hostile, at)
	t.Run("said again", func(t *testing.T) {
		conn := from(t, at)
		_, _ = conn.Write(said) // likewise
		_, err := io.ReadAll(conn)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the agent ends it")
	})
	t.Run("with a certificate of its own", func(t *testing.T) {
		for name, config := range map[string]*tls.Config{
			"for its name": {}, "for a link's": {ServerName: serverAsked(t, said)},
			"and none": {ServerName: serverAsked(t, said), Certificates: []tls.Certificate{}},
		} {
			config.InsecureSkipVerify = true // whoever it is
			if config.Certificates == nil {
				config.Certificates = []tls.Certificate{ownCertificate(t)}
			}
			conn := from(t, at)
			require.NoError(t, upgraded(conn))
			client := tls.Client(conn, config)
			_ = client.Handshake() // which a client of TLS 1.3 may take for done
			got, err := io.ReadAll(client)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the agent ends it")
			require.Empty(t, got, name)
		}
	})
	require.NoError(t, link.Err(), "the link whose words were used stands")
	t.Run("many at once", func(t *testing.T) {
		began, conns := time.Now(), make([]*net.TCPConn, crowd)
		for i := range conns {
			conns[i] = from(t, at)
			_, err := io.WriteString(conns[i], upgradeAsked)
			require.NoError(t, err)
		}
		t.Logf("%d came within %v", crowd, time.Since(began))
		goes()
		another()
	})
	goes()
	for _, pod := range n.linked() {
		require.Zero(t, pod.Status.ContainerStatuses[0].RestartCount)
	}
	require.True(t, slices.ContainsFunc(n.linked(), func(p corev1.Pod) bool { return p.UID == agent.UID }))
}

// linked are the agents' pods.
func (n *namespace) linked() []corev1.Pod {
	n.t.Helper()
	pods, err := n.client.CoreV1().Pods(n.name).List(n.t.Context(), metav1.ListOptions{LabelSelector: plan.AgentLabel})
	require.NoError(n.t, err)
	require.NotEmpty(n.t, pods.Items)
	return pods.Items
}

// dialFrom is a connection to an address that a pod of the tests' server makes, for at most a
// minute.
func dialFrom(pod corev1.Pod, address string) (*net.TCPConn, error) {
	conn, err := net.Dial("tcp", net.JoinHostPort(pod.Status.PodIP, "7007"))
	if err != nil {
		return nil, err
	}
	if err = conn.SetDeadline(time.Now().Add(time.Minute)); err == nil {
		_, err = fmt.Fprintln(conn, address)
	}
	return conn.(*net.TCPConn), err
}

// upgraded asks for a link's connection, and waits for the answer.
func upgraded(conn net.Conn) error {
	if _, err := io.WriteString(conn, upgradeAsked); err != nil {
		return err
	}
	var got []byte
	for one := make([]byte, 1); !bytes.HasSuffix(got, []byte("\r\n\r\n")); got = append(got, one...) {
		if _, err := io.ReadFull(conn, one); err != nil {
			return fmt.Errorf("after %q: %w", got, err)
		}
	}
	if !bytes.HasPrefix(got, []byte("HTTP/1.1 101 ")) {
		return fmt.Errorf("answered with %q", got)
	}
	return nil
}

// links has a stranger who may forward ports be a session whose link goes to the agent from a
// pod, by the port that any pod can dial, and returns all that it said there, and the link.
func (s *stranger) links(from corev1.Pod, at string) (said []byte, link *wire.Link) {
	s.t.Helper()
	c := claim.Claim{ID: claim.NewID(), User: "stranger", Machine: "elsewhere"}
	link, err := s.session(wire.End{Name: s.config.Name, Identity: s.config.Identity, Claim: &c})
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	s.t.Cleanup(func() { cancel(); running.Wait() })
	running.Go(func() { _ = (&wire.Developer{}).Run(ctx, link) })
	heard, told := new(recording), make(chan error, 8)
	running.Go(func() {
		podproxy.Keep(ctx, link, func(context.Context, int) (io.ReadWriteCloser, error) {
			conn, err := dialFrom(from, at)
			if err == nil {
				err = errors.Join(upgraded(conn), conn.SetDeadline(time.Time{}))
			}
			return recorded{conn, heard}, err
		}, func(err error) { told <- err })
	})
	require.NoError(s.t, <-told, "who has the keys is let in, wherever it comes from")
	return append([]byte(upgradeAsked), heard.all()...), link
}

// recording is what was written to connections.
type recording struct {
	mu   sync.Mutex
	said []byte
}

func (r *recording) all() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.said)
}

// recorded keeps what is written.
type recorded struct {
	net.Conn
	in *recording
}

func (r recorded) Write(p []byte) (int, error) {
	r.in.mu.Lock()
	r.in.said = append(r.in.said, p...)
	r.in.mu.Unlock()
	return r.Conn.Write(p)
}

// serverAsked is the name in a client's hello, of what followed its request.
func serverAsked(t *testing.T, said []byte) (name string) {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	go func() { _, _ = here.Write(said[len(upgradeAsked):]) }() // ends with here
	server := tls.Server(there, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name = hello.ServerName
		there.Close() // which is all that was wanted
		return nil, io.EOF
	}})
	require.ErrorIs(t, server.Handshake(), io.EOF)
	return name
}

// ownCertificate is one of a key that nobody knows.
func ownCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}
