package project

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// folderOf has files, and is where this process is.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	t.Chdir(folder)
	return folder
}

func TestVariables(t *testing.T) {
	t.Setenv("NS", "demo")
	t.Setenv("EMPTY", "")
	for text, want := range map[string]string{
		"$NS": "demo", "${NS}": "demo", "a-${NS}-b": "a-demo-b", "${NS:-x}": "demo", "${NOTHING:-x}": "x",
		"${NOTHING-x}": "x", "${EMPTY:-x}": "x", "${EMPTY-x}": "", "${NOTHING:-${NS}}": "demo", "${NS:+x}": "x",
		"$$NS": "$NS", "a$$": "a$", "a$": "a$", "${NS:?it is needed}": "demo", "${FILE}": "", "${NOTHING}": "",
	} {
		p, err := Parse("f", []byte("context: "+text))
		require.NoError(t, err, text)
		require.Equal(t, want, p.Context, text)
	}
	p, err := Parse("f", []byte("noForward: ${NOTHING:-true}\nintercepts: [{workload: '${NS}', run: 'go run ${NS}'}]"))
	require.NoError(t, err)
	require.True(t, p.NoForward, "a word of YAML is one here, too")
	require.Equal(t, []string{"go", "run", "demo"}, p.Intercepts[0].Run.Command)
	p, err = Parse("f", []byte("context: &x ${NS}\nnamespace: *x"))
	require.NoError(t, err)
	require.Equal(t, "demo", p.Namespace, "an anchor's")

	p, err = Parse("f", []byte("name: a\ncontext: x${NOTHING}$$OTHER"))
	require.NoError(t, err)
	require.Equal(t, []string{"f:2:10: $NOTHING is not set: an empty text stands in its place"}, p.Warnings)
	for text, fault := range map[string]string{
		"name: a\ncontext: ${NOTHING:?say which}": "f:2:10: $NOTHING is needed: say which",
		"context: ${NOTHING?}":                    "f:1:10: $NOTHING is needed: it is not set",
		"context: ${a b}":                         `f:1:10: "${a b}" has no variable where there should be one`,
	} {
		_, err := Parse("f", []byte(text))
		require.EqualError(t, err, fault)
	}
}

func TestVariablesBesideTheFile(t *testing.T) {
	t.Setenv("NS", "demo")
	files := map[string]string{
		"devtun.yaml": "context: $CONTEXT\nnamespace: $NS\n", ".env": "# mine\nCONTEXT=dev\nNS='another'\nX=${NS}\n",
	}
	folderOf(t, files)
	p, err := Read(Name)
	require.NoError(t, err)
	require.Equal(t, "dev", p.Context)
	require.Equal(t, "demo", p.Namespace, "the environment goes over the file")

	files[".env"] = "A='b"
	folderOf(t, files)
	_, err = Read(Name)
	require.ErrorContains(t, err, ".env:1:1: ")

	// An environment that devtun itself writes is no source of variables.
	files[".env"] = "CONTEXT=dev\n"
	files["devtun.yaml"] = "context: ${CONTEXT:-none}\nintercepts: [{workload: a, envFile: ./.env}]"
	folderOf(t, files)
	p, err = Read(Name)
	require.NoError(t, err)
	require.Equal(t, "none", p.Context)
}

func TestTheFileThatGoesOverIt(t *testing.T) {
	folder := folderOf(t, map[string]string{
		"devtun.yaml": `name: shop
namespace: demo
forward:
  except: [a, b]
  hold: 5s
intercepts:
  - workload: web
    ports: [3000:80]
    run: npm start
  - {workload: api, namespace: far}
run:
  worker: {command: go run ., env: [A=1, B=2]}
`,
		"devtun.local.yaml": `context: mine
forward: {except: [c]}
intercepts:
  - {workload: web, envFile: .env.web, run: {env: {DEBUG: 1}}}
  - {workload: api}
run:
  worker: {env: {B: 3}}
  more: sleep 1
`,
	})
	p, err := Read(Name)
	require.NoError(t, err)
	p.Positions = nil
	require.Equal(t, &Project{
		Name: "shop", Namespace: "demo", Context: "mine", Forward: Forward{Except: []string{"c"}, Hold: "5s"},
		Intercepts: []Intercept{
			{Workload: "web", Ports: []string{"3000:80"}, EnvFile: filepath.Join(folder, ".env.web"),
				Run: &Run{Command: []string{"npm", "start"}, Env: map[string]string{"DEBUG": "1"}, WorkingDir: folder}},
			{Workload: "api", Namespace: "far"},
		},
		Run: map[string]Process{
			"worker": {Run: Run{Command: []string{"go", "run", "."}, Env: map[string]string{"A": "1", "B": "3"},
				WorkingDir: folder}},
			"more": {Run: Run{Command: []string{"sleep", "1"}, WorkingDir: folder}},
		},
	}, p)

	for local, fault := range map[string]string{
		"\nnmespace: a": `devtun.local.yaml:2:1: unknown key "nmespace"`,
		"intercepts:\n- {workload: web, grace: 5x}":    `devtun.local.yaml:2:26: "5x" is not a duration`,
		"forward: {hold: [a]}":                         `devtun.local.yaml:1:17: a text is wanted here`,
		"intercepts:\n- {workload: c, ports: ['x:y']}": `devtun.local.yaml:2:25: "x:y" does not say where a port goes`,
		"a: [":     `devtun.local.yaml:1:4: sequence end token ']' not found`,
		"run: {a}": `devtun.local.yaml:1:8: there is no command to run`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "devtun.local.yaml"), []byte(local), 0o600))
		_, err := Read(Name)
		require.ErrorContains(t, err, fault)
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "devtun.local.yaml"), []byte("forward:\nnoForward: true"),
		0o600))
	p, err = Read(Name)
	require.NoError(t, err)
	require.Equal(t, Forward{}, p.Forward, "nothing over something takes it out")
}

func TestAProjectFileIsLookedForAbove(t *testing.T) {
	folder := folderOf(t, map[string]string{"devtun.yaml": "", "a/b/c": "", "a/d/devtun.yaml": "",
		"a/b/devtun.yaml/x": ""})
	for here, want := range map[string]string{
		".": "devtun.yaml", "a": "../devtun.yaml", "a/b": "../../devtun.yaml", "a/d": "devtun.yaml",
	} {
		t.Chdir(filepath.Join(folder, here))
		require.Equal(t, filepath.FromSlash(want), Find())
	}
	t.Chdir("/")
	require.Equal(t, Name, Find(), "there is none")
	require.Equal(t, "x/shop.local.yml", Local("x/shop.yml"))
}

func TestWhatRunsIsChecked(t *testing.T) {
	for text, fault := range map[string]string{
		"run: go run .":        `f:1:6: a mapping of names to commands is wanted here`,
		"run: {a: }":           `f:1:9: there is no command to run`,
		"run: {a: {env: {}}}":  `f:1:11: there is no command to run`,
		"run: {a: 'x \"y'}":    `f:1:10: "x \"y" cannot be split into words: invalid command line string`,
		"run: {a: x && y}":     `f:1:10: "x && y" wants a shell`,
		"run: {a: x > y}":      `f:1:10: "x > y" wants a shell`,
		"run: {a/b: x}":        `f:1:12: "a/b" is no name for what runs`,
		"run: {a: {as: b}}":    `f:1:11: there is no command to run`,
		"run: {a: {comand: }}": `f:1:11: unknown key "comand"`,
		"run: {a: {command: b, container: c}}": `f:1:11: namespace, container and agentImage are about the workload of ` +
			`as`,
		"run: {web: x}\nintercepts: [{workload: deploy/web, run: y}]": `f:1:12: what runs for deploy/web is called web ` +
			`already`,
		"intercepts: [{workload: svc/a, run: y}, {workload: deploy/a, run: y}]": `f:1:67: svc/a and deploy/a would both ` +
			`run as "a"`,
		"intercepts: [{workload: a, to: other, run: y}]": `f:1:44: the program runs here, and the requests go to other`,
	} {
		_, err := Parse("f", []byte(text))
		require.EqualError(t, err, fault, text)
	}
	for text, want := range map[string][]string{
		`npm start`: {"npm", "start"}, `go run . -x "a b" 'c;d' e\ f`: {"go", "run", ".", "-x", "a b", "c;d", "e f"},
		`[sh, -c, "a && b"]`: {"sh", "-c", "a && b"}, "|\n    go\n    run": {"go", "run"},
	} {
		p, err := Parse("f", []byte("run:\n  a: "+text))
		require.NoError(t, err, text)
		require.Equal(t, want, p.Run["a"].Command, text)
	}
}
