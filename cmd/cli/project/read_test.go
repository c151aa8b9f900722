package project

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// whole uses every key.
const whole = `# yaml-language-server: $schema=schema.json
name: shop
kubeconfig: ./kubeconfig
context: dev
namespace: demo
clusterDomain: cluster.local
transport: auto
relay: true
link: proxy
noForward: false
forward:
  services: [service-back, search.shop]
  namespaces: [shop]
  allNamespaces: false
  selector: ""
  except: [service-front]
  ports: [service-back:8080:80]
  headers: ['baggage: devtun=ann']
  hold: 10s
  hostsFile: hosts
intercepts:
  - workload: service-middle
    namespace: demo
    ports: [3000:http, 9090]
    to: localhost
    replace: true
    match:
      headers: [x-tester=7, accept~json]
      path: ~^/v[12]/
      methods: [POST]
      personal: true
    tls: true
    mark: true
    mirror: true
    noCarry: true
    grace: 1m30s
    container: app
    agentImage: devtun-agent:dev
    envFile: .env
    envJson: env.json
    envFormat: dotenv
    files: ./mounts
    keep: true
    run:
      command: go run . -listen "localhost:3000"
      env: {LOG_LEVEL: debug, RETRIES: 3}
      workingDir: ./middle
env:
  - workload: deploy/worker
    namespace: demo
    container: app
    agentImage: devtun-agent:dev
    envFile: .env.worker
    envJson: worker.json
    envFormat: dotenv
    files: ./worker
    keep: true
run:
  web: npm start
  worker:
    command: [go, run, ./worker]
    env: [QUEUE=orders]
    workingDir: worker
    as: deploy/worker
    namespace: demo
    container: app
    agentImage: devtun-agent:dev
`

func TestReadsAWholeFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, Name)
	require.NoError(t, os.WriteFile(path, []byte(whole), 0o600))
	p, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, Position{path, 22, 15}, p.Position("intercepts[0].workload"))
	require.Equal(t, Position{path, 59, 8}, p.Position("run.web.env"), "where what holds it stands")
	p.Positions = nil
	require.Equal(t, &Project{
		Name: "shop", Kubeconfig: filepath.Join(folder, "kubeconfig"), Context: "dev", Namespace: "demo",
		ClusterDomain: "cluster.local", Transport: "auto", Relay: "true", Link: "proxy",
		Forward: Forward{
			Services: []string{"service-back", "search.shop"}, Namespaces: []string{"shop"}, Except: []string{"service-front"},
			Ports: []string{"service-back:8080:80"}, Headers: []string{"baggage: devtun=ann"}, Hold: "10s",
			HostsFile: filepath.Join(folder, "hosts"),
		},
		Intercepts: []Intercept{{
			Workload: "service-middle", Namespace: "demo", Ports: []string{"3000:http", "9090"}, To: "localhost", Replace: true,
			Match: Match{Headers: []string{"x-tester=7", "accept~json"}, Path: "~^/v[12]/", Methods: []string{"POST"},
				Personal: "true"}, TLS: true, Mark: true, Mirror: true, NoCarry: true,
			Grace: "1m30s", Container: "app", AgentImage: "devtun-agent:dev", EnvFile: filepath.Join(folder, ".env"),
			EnvJSON: filepath.Join(folder, "env.json"), EnvFormat: "dotenv", Files: filepath.Join(folder, "mounts"), Keep: true,
			Run: &Run{Command: []string{"go", "run", ".", "-listen", "localhost:3000"},
				Env: map[string]string{"LOG_LEVEL": "debug", "RETRIES": "3"}, WorkingDir: filepath.Join(folder, "middle")},
		}},
		Env: []Environment{{
			Workload: "deploy/worker", Namespace: "demo", Container: "app", AgentImage: "devtun-agent:dev",
			EnvFile: filepath.Join(folder, ".env.worker"), EnvJSON: filepath.Join(folder, "worker.json"), EnvFormat: "dotenv",
			Files: filepath.Join(folder, "worker"), Keep: true,
		}},
		Run: map[string]Process{
			"web": {Run: Run{Command: []string{"npm", "start"}, WorkingDir: folder}},
			"worker": {Run: Run{Command: []string{"go", "run", "./worker"}, Env: map[string]string{"QUEUE": "orders"},
				WorkingDir: filepath.Join(folder, "worker")}, As: "deploy/worker", Namespace: "demo", Container: "app",
				AgentImage: "devtun-agent:dev"},
		},
	}, p)
	require.Equal(t, 90*time.Second, p.Intercepts[0].Grace.Value(0))
	require.Equal(t, time.Hour, Duration("").Value(time.Hour))
}

func TestReadsFilesThatSayLittle(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "forward:\nintercepts:\n", "{}"} {
		p, err := Parse("f", []byte(text))
		require.NoError(t, err, text)
		require.Equal(t, &Project{}, p, text)
	}
}

func TestFaultsHaveAPlace(t *testing.T) {
	for _, c := range []struct{ about, text, fault string }{
		{"no YAML", "forward: [", `f:1:10: sequence end token ']' not found`},
		{"a tab", "name: x\n\tcontext: y", "f:2:1: found character '\t' that cannot start any token"},
		{"an unknown key", "nmespace: demo", `f:1:1: unknown key "nmespace"`},
		{"an unknown key of forward", "forward:\n  service: [a]", `f:2:3: unknown key "service"`},
		{"an unknown key of an intercept", "intercepts:\n- workload: a\n  env-file: x", `f:3:3: unknown key "env-file"`},
		{"a key twice", "name: a\nname: b", `f:2:1: mapping key "name" already defined at [1:1]`},
		{"a text for a list", "forward:\n  services: a", `f:2:13: string stands where a sequence is wanted`},
		{"a list for a text", "name: [a]", `f:1:7: a text is wanted here`},
		{"a text for a truth", "noForward: maybe", `f:1:12: true or false is wanted here`},
		{"a list for all", "- a", `f:1:1: sequence stands where a mapping is wanted`},
		{"two documents", "name: a\n---\nname: b", `f:2:1: a second YAML document`},
		{"a name", "name: My Shop", `f:1:7: "My Shop" is not a session name`},
		{"a transport", "name: a\ntransport: ftp", `f:2:12: unknown value "ftp"`},
		{"a duration", "forward:\n  hold: 5x", `f:2:9: "5x" is not a duration`},
		{"no grace", "intercepts:\n- {workload: a, grace: 0s}", `f:2:24: "0s" is too short`},
		{"a negative duration", "intercepts:\n- {workload: a, grace: -5s}", `f:2:24: "-5s" is not a duration`},
		{"a port", "forward:\n  ports:\n  - a:1:2\n  - a:99999:1", `f:4:5: "a:99999:1" does not move a port`},
		{"a header", "forward:\n  headers:\n  - 'x: 1'\n  - 'y=1'", `f:4:5: "y=1" is not NAME: VALUE`},
		{"a header that is no text", "forward:\n  headers:\n  - x: 1", `f:3:6: a text is wanted here`},
		{"a port of an intercept", "intercepts:\n- workload: a\n  ports: [x:80]",
			`f:3:11: "x:80" does not say where a port goes`},
		{"a header", "intercepts:\n- workload: a\n  match:\n    headers: [x-tester]",
			`f:4:15: "x-tester" is neither NAME=VALUE nor NAME~REGEXP`},
		{"an unknown key of match", "intercepts:\n- workload: a\n  match: {header: a}", `f:3:11: unknown key "header"`},
		{"no workload", "intercepts:\n- ports: [1:1]", `f:2:3: an intercept needs a workload`},
		{"an empty intercept", "intercepts:\n-\n", `f:2:3: an intercept needs a workload`},
		{"a workload twice", "intercepts:\n- workload: a\n- workload: a", `f:3:13: a is intercepted twice`},
		{"twice by its namespace", "namespace: n\nintercepts:\n- workload: a\n- {workload: a, namespace: n}",
			`f:4:14: a is intercepted twice`},
		{"twice as a service", "intercepts:\n- workload: a\n- workload: svc/a",
			`f:3:13: svc/a, which is a, is intercepted twice`},
		{"twice by one kind", "intercepts:\n- workload: Deployment/a\n- workload: deploy/a",
			`f:3:13: deploy/a, which is Deployment/a, is intercepted twice`},
		{"one env file for two", "intercepts:\n- {workload: a, envFile: .env}\n- {workload: b, envFile: x/../.env}",
			`f:3:26: x/../.env is in the way of the envFile of a`},
		{"one file for both formats", "intercepts:\n- {workload: a, envFile: e, envJson: e}",
			`f:2:38: e is in the way of the envFile of a`},
		{"a folder in another's", "intercepts:\n- {workload: a, files: m/a}\n- {workload: b, files: m}",
			`f:3:24: m is in the way of the files of a`},
		{"an env file in a folder", "intercepts:\n- {workload: a, files: m, envFile: m/env}",
			`f:2:24: m is in the way of the envFile of a`},
		{"one local port for two",
			"intercepts:\n- {workload: a, ports: ['3000:80']}\n- {workload: b, to: 127.0.0.1, ports: [80, '3000:http']}",
			`f:3:44: the local port 3000 is another intercept's already`},
		{"one local port of a forward", "forward:\n  ports: ['a:8080:80', 'b:8080:80', 'a:8080:81']",
			`f:2:37: "a:8080:80" and "a:8080:81" want the same local port`},
		{"a format of nothing", "intercepts:\n- {workload: a, envFormat: sh}", `f:2:28: envFormat is the format of envFile`},
		{"a format", "intercepts:\n- {workload: a, envFile: b, envFormat: toml}", `f:2:40: unknown value "toml"`},
		{"an environment of nothing", "env:\n- envFile: a", `f:2:3: an environment is of a workload`},
		{"an environment that goes nowhere", "env:\n- workload: a",
			`f:2:3: it does not say where the environment of a is to be`},
		{"a format of no file", "env:\n- {workload: a, files: m, envFormat: sh}",
			`f:2:38: envFormat is the format of envFile`},
		{"an environment twice", "env:\n- {workload: a, files: m}\n- {workload: a, envFile: b}",
			`f:3:14: a is listed twice`},
		{"an environment in an intercept's file",
			"intercepts: [{workload: a, envFile: b}]\nenv: [{workload: c, envFile: b}]",
			`f:2:30: b is in the way of the envFile of a`},
		{"nothing at all", "noForward: true", `f:1:12: nothing is forwarded, and nothing is intercepted`},
		{"forwarding and not", "noForward: true\nforward: {selector: a}\nintercepts: [{workload: a}]",
			`f:2:11: noForward and forward cannot be used together`},
		{"all and some", "namespace: a\nforward: {allNamespaces: true}",
			`f:2:26: allNamespaces and namespaces cannot be used together`},
		{"names and labels", "forward: {services: [a], selector: b}",
			`f:1:36: services and selector cannot be used together`},
	} {
		t.Run(c.about, func(t *testing.T) {
			_, err := Parse("f", []byte(c.text))
			var fault *Error
			require.ErrorAs(t, err, &fault)
			require.Equal(t, c.fault, err.Error())
			require.True(t, fault.Hint != "" || fault.Unknown != "", "something to do about it")
		})
	}
}

func TestInterceptsThatAreNotInEachOthersWay(t *testing.T) {
	for about, text := range map[string]string{
		"a service and a workload, which only the cluster tells": "intercepts: [{workload: svc/a}, {workload: deploy/a}]",
		"other namespaces": "intercepts: [{workload: a, namespace: m}, {workload: a, namespace: n}]",
		"ports of other machines": "intercepts: [{workload: a, to: one, ports: ['1:80']}, {workload: b, to: " +
			"two, ports: ['1:80']}]",
		"two ports of one container's port": "intercepts: [{workload: a, ports: ['1:80', '1:81']}]",
		"names that only begin alike": "intercepts: [{workload: a, files: m}, {workload: b, files: mm, envFile: " +
			"m.env}]",
		"an environment of what is intercepted": "intercepts: [{workload: a}]\nenv: [{workload: a, files: m}]",
		"of two containers": "env: [{workload: a, container: b, files: b}, {workload: a, container: c, files: " +
			"c}]",
		"an environment alone": "noForward: true\nenv: [{workload: a, files: m}]",
	} {
		_, err := Parse("f", []byte(text))
		require.NoError(t, err, about)
	}
}

func TestAnUnknownKeyComesWithThoseThereAre(t *testing.T) {
	for text, known := range map[string]string{
		"nmespace: a": "namespace", "run: {a: {comand: b}}": "as", "intercepts: [{workload: a, run: {as: b}}]": "workingDir",
		"forward: {x: a}": "hostsFile", "intercepts: [{workload: a}, {x: a}]": "envFile",
	} {
		_, err := Parse("f", []byte(text))
		var fault *Error
		require.ErrorAs(t, err, &fault)
		require.Contains(t, fault.Known, known, text)
	}
}

func TestNames(t *testing.T) {
	for name, valid := range map[string]bool{
		"a": true, "shop-2": true, "": false, "-a": false, "a-": false, "../a": false, "a.b": false, "A": false,
	} {
		require.Equal(t, valid, ValidName(name), name)
	}
}
