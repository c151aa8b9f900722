package handover

import (
	"archive/tar"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/agent"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
)

const soon = 10 * time.Second

// pod is an agent on this machine's loopback, with its environment and files.
type pod struct{ links string }

func newPod(t *testing.T, environ, files []string) pod {
	t.Helper()
	const linkPort = 9999
	config := agent.Config{
		Version: wire.Version, Name: "service-middle", Identity: "4f1c", Mode: plan.Replace,
		LinkPort: linkPort, Ports: []agent.Port{{Port: 8080, Protocol: agent.TCP}}, Files: files,
		Hold: agent.Duration(time.Second), DrainTimeout: agent.Duration(time.Second),
	}
	a := agent.New(config, slog.New(slog.DiscardHandler))
	a.Linger = 0
	a.Environ = environ
	listening := make(chan string, 1)
	a.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
		listener, err := net.Listen(network, "127.0.0.1:0")
		if err == nil && strings.HasSuffix(address, ":9999") {
			listening <- listener.Addr().String()
		}
		return listener, err
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := a.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
	return pod{<-listening}
}

// connect opens a link; lose ends it without a word.
func (p pod) connect(t *testing.T) (link *wire.Link, lose func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	conn, err := net.Dial("tcp", p.links)
	require.NoError(t, err)
	transport := duplex.TCP{TCPConn: conn.(*net.TCPConn)}
	end := wire.End{Name: "service-middle", Identity: "4f1c", Claim: &claim.Claim{ID: "all"}}
	link, err = end.Dial(ctx, transport)
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() { (&wire.Developer{}).Run(context.Background(), link) })
	t.Cleanup(func() { link.Close(); running.Wait() })
	return link, transport.Abort
}

// volume is a mounted ConfigMap or Secret, as the kubelet makes it.
type volume struct {
	t    *testing.T
	path string
}

func (v volume) put(name string, content map[string]string) {
	v.t.Helper()
	require.NoError(v.t, os.Mkdir(filepath.Join(v.path, name), 0o755))
	for key, value := range content {
		require.NoError(v.t, os.WriteFile(filepath.Join(v.path, name, key), []byte(value), 0o644))
		os.Symlink(filepath.Join("..data", key), filepath.Join(v.path, key))
	}
	require.NoError(v.t, os.Symlink(name, filepath.Join(v.path, "..data_tmp")))
	require.NoError(v.t, os.Rename(filepath.Join(v.path, "..data_tmp"), filepath.Join(v.path, "..data")))
}

// following is a Handover that is followed.
type following struct {
	*Handover
	links   chan Source
	notices func() []string
	end     func() error // of Follow
}

func follow(t *testing.T, config Config) *following {
	t.Helper()
	h, err := Open(config)
	require.NoError(t, err)
	return followed(t, h)
}

func followed(t *testing.T, h *Handover) *following {
	t.Helper()
	var mu sync.Mutex
	var notices []string
	h.config.Notice = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		notices = append(notices, text)
	}
	f := &following{Handover: h, links: make(chan Source), notices: func() []string {
		mu.Lock()
		defer mu.Unlock()
		return notices
	}}
	ctx, stop := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- h.Follow(ctx, f.links) }()
	f.end = sync.OnceValue(func() error { stop(); return <-result })
	t.Cleanup(func() { f.end() })
	return f
}

func (f *following) awaitReady(t *testing.T) {
	t.Helper()
	select {
	case <-f.Ready():
	case <-time.After(soon):
		require.Fail(t, "nothing came", "Follow: %v, notices: %q", f.end(), f.notices())
	}
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, soon, 5*time.Millisecond)
}

func holds(path, want string) func() bool {
	return func() bool {
		got, err := os.ReadFile(path)
		return err == nil && string(got) == want
	}
}

func TestWholeWay(t *testing.T) {
	t.Parallel()
	v := volume{t, t.TempDir()}
	v.put("..1", map[string]string{"tls.key": "secret\n", "empty": ""})
	environ := []string{"A=1", "KEY=-----BEGIN-----\nit's $5\n", "PATH=/there", "BYTES=\xff", "DEVTUN_AGENT_CONFIG={}"}
	p := newPod(t, environ, []string{v.path})

	state, work := t.TempDir(), t.TempDir()
	dotenv, asJSON, folder := filepath.Join(work, ".env"), filepath.Join(work, "env.json"), filepath.Join(work, "files")
	f := follow(t, Config{
		Ledger: ledger(state, "me"), Folder: folder, Mounts: []string{v.path},
		Files: []File{{Path: dotenv}, {Path: asJSON}},
	})
	requireEmpty(t, folder)
	require.NoFileExists(t, dotenv)

	link, lose := p.connect(t)
	f.links <- link
	f.awaitReady(t)
	require.Equal(t, environ[:4], f.Environment())
	requireMode(t, dotenv, 0o600)
	requireMode(t, asJSON, 0o600)
	got, err := os.ReadFile(dotenv)
	require.NoError(t, err)
	want, _ := Dotenv.Encode([]Variable{{"A", "1"}, {"KEY", "-----BEGIN-----\nit's $5\n"}})
	require.Equal(t, string(want), string(got), "PATH is this machine's")
	at := func(key string) string { return filepath.Join(v.path, key)[1:] }
	requireTree(t, folder, map[string]string{at("tls.key"): "secret\n", at("empty"): ""})
	require.Contains(t, strings.Join(f.notices(), "\n"), "BYTES is not in "+dotenv)

	v.put("..2", map[string]string{"tls.key": "renewed\n", "empty": ""})
	eventually(t, holds(filepath.Join(folder, at("tls.key")), "renewed\n"))

	lose()
	v.put("..3", map[string]string{"tls.key": "while away\n", "empty": ""})
	link, _ = p.connect(t)
	f.links <- link
	eventually(t, holds(filepath.Join(folder, at("tls.key")), "while away\n"))

	// A new agent's pod has the environment of its own start.
	link, _ = newPod(t, []string{"A=2"}, []string{v.path}).connect(t)
	f.links <- link
	eventually(t, holds(dotenv, header+"A=2\n"))
	requireTree(t, folder, map[string]string{at("tls.key"): "while away\n", at("empty"): ""})

	require.NoError(t, f.end())
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	requireEmpty(t, work)
}

func TestKeep(t *testing.T) {
	t.Parallel()
	v := volume{t, t.TempDir()}
	v.put("..1", map[string]string{"a": "1"})
	state, work := t.TempDir(), t.TempDir()
	dotenv, folder := filepath.Join(work, ".env"), filepath.Join(work, "files")
	for _, keep := range []bool{true, false} {
		f := follow(t, Config{
			Ledger: ledger(state, "me"), Folder: folder, Files: []File{{Path: dotenv}}, Keep: keep,
		})
		link, _ := newPod(t, []string{"A=1"}, []string{v.path}).connect(t)
		f.links <- link
		f.awaitReady(t)
		require.NoError(t, f.end())
		require.NoError(t, f.Close())
		if keep {
			requireContent(t, dotenv, header+"A=1\n")
			requireContent(t, filepath.Join(folder, v.path, "a"), "1")
		}
	}
	requireEmpty(t, work)
}

func TestOpenTakesBackWhatItClaimed(t *testing.T) {
	state, work := t.TempDir(), t.TempDir()
	put(t, filepath.Join(work, "files", "mine"), "")
	_, err := Open(Config{
		Ledger: ledger(state, "me"), Files: []File{{Path: filepath.Join(work, ".env")}},
		Folder: filepath.Join(work, "files"),
	})
	var foreign *ForeignError
	require.ErrorAs(t, err, &foreign)
	requireEmpty(t, filepath.Join(state, "state", "handover"))
	require.FileExists(t, filepath.Join(work, "files", "mine"))
}

// fake is a link whose answers a test gives.
type fake struct {
	environment func() ([]string, error)
	files       func(take func(wire.Files, *tar.Reader) error) error
}

func (s fake) Environment(context.Context) ([]string, error) { return s.environment() }

func (s fake) ReadFiles(ctx context.Context, unlike string, take func(wire.Files, *tar.Reader) error) error {
	if unlike != "" {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.files(take)
}

func sends(environ ...string) func() ([]string, error) {
	return func() ([]string, error) { return environ, nil }
}

func TestFollowFailsIfTheFirstCannotBeWritten(t *testing.T) {
	work := t.TempDir()
	path := filepath.Join(work, ".env")
	h, err := Open(Config{Ledger: ledger(t.TempDir(), "me"), Files: []File{{Path: path}}})
	require.NoError(t, err)
	put(t, path, "MINE=1\n") // after it was found free
	links := make(chan Source, 1)
	links <- fake{environment: sends("A=1")}
	var foreign *ForeignError
	require.ErrorAs(t, h.Follow(t.Context(), links), &foreign)
	require.ErrorAs(t, h.Close(), &foreign)
	requireContent(t, path, "MINE=1\n")
}

func TestWhatComesIncompleteIsNotTaken(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "files")
	f := follow(t, Config{Ledger: ledger(t.TempDir(), "me"), Folder: folder})
	broken, asked := errors.New("broken off"), make(chan struct{})
	f.links <- fake{environment: sends("A=1"), files: func(take func(wire.Files, *tar.Reader) error) error {
		defer close(asked)
		require.NoError(t, take(wire.Files{Sum: "1"}, archiveOf(t, map[string]string{"etc/a": "1"})))
		return broken
	}}
	<-asked
	eventually(t, func() bool { return strings.Contains(strings.Join(f.notices(), "\n"), "broken off") })
	require.NoFileExists(t, filepath.Join(folder, "etc/a"))
	f.links <- fake{environment: sends("A=1"), files: func(take func(wire.Files, *tar.Reader) error) error {
		return take(wire.Files{Sum: "1", Unreadable: 2, First: "/etc/b"}, archiveOf(t, map[string]string{"etc/a": "1"}))
	}}
	f.awaitReady(t)
	requireTree(t, folder, map[string]string{"etc/a": "1"})
	require.Contains(t, strings.Join(f.notices(), "\n"), "/etc/b")
	require.NoError(t, f.end())
	require.NoError(t, f.Close())
}

func TestEnvironmentAloneIsHandedOver(t *testing.T) {
	f := follow(t, Config{Ledger: ledger(t.TempDir(), "me")})
	require.Nil(t, f.Environment())
	f.links <- fake{environment: sends("A=1")}
	f.awaitReady(t)
	require.Equal(t, []string{"A=1"}, f.Environment())
	close(f.links)
	require.NoError(t, f.end())
	require.NoError(t, f.Close())
}

func TestForeignChangesDuringASessionAreTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	f := follow(t, Config{Ledger: ledger(t.TempDir(), "me"), Files: []File{{Path: path}}})
	f.links <- fake{environment: sends("A=1")}
	f.awaitReady(t)
	put(t, path, "MINE=1\n")
	f.links <- fake{environment: sends("A=2")}
	eventually(t, func() bool { return strings.Contains(strings.Join(f.notices(), "\n"), path) })
	requireContent(t, path, "MINE=1\n")
	require.NoError(t, f.end())
	var foreign *ForeignError
	require.ErrorAs(t, f.Close(), &foreign)
}

var _ Source = (*wire.Link)(nil)
