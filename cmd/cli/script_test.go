package cli

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/loopback"
)

// Scripts run the command itself, in testdata/script. They find an empty home,
// a hosts file of their own in $HOSTS, and these commands beside testscript's:
//
//	cluster [-down|-stranger|-unauthorized] [-no-upgrades] [-ahead DURATION] [-deny RIGHT]… [-forbid NAMESPACE]…
//	    starts an API server with the objects of cluster.yaml, the script's own
//	    or that of testdata, and points $KUBECONFIG at it; with -forbid nothing of a
//	    namespace can be listed, nothing of "all" at once, or no "namespaces"
//	refuse CODE ARG…
//	    runs devtun, which must end with that exit code, an error and a hint on
//	    stderr, after its word that it starts if it came so far, and must leave every file of the script as it was
//	occupy SERVICE PORT
//	    listens wherever devtun would for a service of namespace demo
//	await FILE REGEXP
//	    waits until the file has a line that matches
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"cluster": scriptCluster, "refuse": scriptRefuse, "occupy": scriptOccupy, "await": scriptAwait,
		},
	})
}

const (
	// foreign is a hosts file as somebody has left it.
	foreign = "127.0.0.1\tlocalhost\r\n# mine\n\n10.0.0.1  db   db.example.org # no newline at the end"

	// testTimeout bounds the wait for what must happen, step is how often it is looked for.
	testTimeout = 20 * time.Second
	step        = 10 * time.Millisecond
)

// setUp makes the world of one script. Its context has a name of its own, so
// that its addresses are nobody else's.
func setUp(env *testscript.Env) error {
	hosts := filepath.Join(env.WorkDir, "etc", "hosts")
	env.Setenv("HOSTS", hosts)
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "kubeconfig"))
	env.Setenv("PID", strconv.Itoa(os.Getpid())) // whose port `occupy` takes
	env.Setenv("CONTEXT", fmt.Sprintf("script-%x", rand.Uint64()))
	return errors.Join(
		os.MkdirAll(filepath.Join(env.WorkDir, "home"), 0o755),
		os.MkdirAll(filepath.Dir(hosts), 0o755),
		os.WriteFile(hosts, []byte(foreign), 0o644))
}

func scriptCluster(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(ts.MkAbs("cluster.yaml"))
	if errors.Is(err, os.ErrNotExist) {
		text, err = os.ReadFile(filepath.Join("testdata", "cluster.yaml"))
	}
	ts.Check(err)
	api := &apiServer{}
	api.objects, err = readObjects(string(text))
	ts.Check(err)
	down, stranger := false, false
	for len(args) > 0 {
		switch option := args[0]; option {
		case "-deny":
			api.denied = append(api.denied, args[1])
			args = args[1:]
		case "-forbid":
			api.forbidden = append(api.forbidden, args[1])
			args = args[1:]
		case "-unauthorized":
			api.unauthorized = true
		case "-no-upgrades":
			api.noUpgrades = true
		case "-ahead":
			api.ahead, err = time.ParseDuration(args[1])
			ts.Check(err)
			args = args[1:]
		case "-stranger":
			stranger = true
		case "-down":
			down = true
		default:
			ts.Fatalf("unknown option %s", option)
		}
		args = args[1:]
	}
	server := api.start()
	stop := func() { server.Listener.Close(); server.CloseClientConnections(); server.Close() }
	if down {
		stop()
	}
	ts.Defer(stop)
	var authority string // none: the system's, which do not know the server
	if !stranger {
		certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		authority = base64.StdEncoding.EncodeToString(certificate)
	}
	kubeconfig := strings.NewReplacer("CONTEXT", ts.Getenv("CONTEXT"), "SERVER", server.URL,
		"AUTHORITY", authority).Replace(kubeconfig)
	ts.Check(os.WriteFile(ts.Getenv("KUBECONFIG"), []byte(kubeconfig), 0o600))
}

const kubeconfig = `apiVersion: v1
kind: Config
current-context: CONTEXT
contexts: [{name: CONTEXT, context: {cluster: it, user: me, namespace: demo}}]
clusters: [{name: it, cluster: {server: "SERVER", certificate-authority-data: "AUTHORITY"}}]
users: [{name: me, user: {token: secret}}]
`

func scriptRefuse(ts *testscript.TestScript, _ bool, args []string) {
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	before := files(ts)
	err = ts.Exec("devtun", args[1:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != code {
		ts.Fatalf("devtun ended with %v, want exit code %d", err, code)
	}
	if !errorAndHint.MatchString(ts.ReadFile("stderr")) {
		ts.Fatalf("stderr is not a line with the error and one with a hint")
	}
	if after := files(ts); !maps.Equal(before, after) {
		ts.Fatalf("files were\n%v\nand are\n%v", before, after)
	}
}

var errorAndHint = regexp.MustCompile("^(devtun: starting .+\n)?devtun: error: .+\nhint: .+\n$")

// files is the content of every file of the script by its path.
func files(ts *testscript.TestScript) map[string]string {
	content := make(map[string]string)
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() { // reading a named pipe would block
			content[path] = entry.Type().String()
			return err
		}
		text, err := os.ReadFile(path)
		content[path] = string(text)
		return err
	}))
	return content
}

func scriptOccupy(ts *testscript.TestScript, _ bool, args []string) {
	port, err := strconv.ParseUint(args[1], 10, 16)
	ts.Check(err)
	key := dns.Key(ts.Getenv("CONTEXT"), dns.Service{Namespace: "demo", Name: args[0]})
	for choice := range 8 { // more than devtun tries
		listener, err := net.Listen("tcp4", netip.AddrPortFrom(loopback.Address(key, choice), uint16(port)).String())
		ts.Check(err)
		ts.Defer(func() { listener.Close() })
	}
}

func scriptAwait(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	late := time.After(testTimeout)
	look := time.NewTicker(step)
	defer look.Stop()
	var text []byte
	for !pattern.Match(text) {
		select {
		case <-look.C:
			text, _ = os.ReadFile(ts.MkAbs(args[0])) // it may not be there yet
		case <-late:
			ts.Fatalf("%s has no %s:\n%s", args[0], args[1], text)
		}
	}
}
