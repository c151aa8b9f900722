package handover

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// hostile are values that some notation gets wrong, a line each, quoted as in Go. Those
// who read what is written by a library of theirs are tested in e2e/formats, with the
// same ones.
var hostile = func() (values []string) {
	text, err := os.ReadFile("testdata/hostile.txt")
	for line := range strings.Lines(string(text)) {
		value, notQuoted := strconv.Unquote(strings.TrimSuffix(line, "\n"))
		values, err = append(values, value), errors.Join(err, notQuoted)
	}
	if err != nil {
		panic(err)
	}
	return values
}()

func environment(values []string) []Variable {
	var environ []string
	for i, value := range values {
		environ = append(environ, "V"+strings.Repeat("_", i)+"="+value)
	}
	return Variables(environ)
}

// carried are the variables that a format has, as a map.
func carried(variables []Variable, gaps []Gap) map[string]string {
	values := make(map[string]string)
	for _, v := range variables {
		values[v.Name] = v.Value
	}
	for _, gap := range gaps {
		if gap.Left {
			delete(values, gap.Name)
		}
	}
	return values
}

func TestWhatDotenvCannotCarryIsFew(t *testing.T) {
	variables := environment(hostile)
	_, gaps := Dotenv.Encode(variables)
	have := make(map[string]string)
	for _, v := range variables {
		have[v.Name] = v.Value
	}
	var left []string
	for _, gap := range gaps {
		if gap.Left && utf8.ValidString(have[gap.Name]) {
			left = append(left, have[gap.Name])
		}
	}
	require.ElementsMatch(t, []string{`it's "both"`, `"it's"`, `C:\my dir\`}, left)
}

// source is what a shell has after reading content: name NUL value NUL ….
func source(t testing.TB, shell string, content []byte) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "env.sh")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	cmd := exec.Command(shell, "-c", `. "$1" && exec env -0`, shell, path)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + cmd.Dir} // nobody's, so that no shell reads its user's files
	out, err := cmd.Output()
	require.NoError(t, err, "%s", content)
	left, err := os.ReadDir(cmd.Dir)
	require.NoError(t, err)
	require.Empty(t, left, "something was run")
	got := make(map[string]string)
	for pair := range strings.SplitSeq(string(out), "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		got[name] = value
	}
	for _, own := range []string{"", "HOME", "LOGNAME", "PWD", "OLDPWD", "SHLVL", "_"} {
		delete(got, own)
	}
	return got
}

func TestShellIsReadBackByShells(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"sh", "bash", "zsh"} {
		path, err := exec.LookPath(shell)
		require.NoError(t, err, "install %s: the same shells are tried on every machine", shell)
		variables := environment(append(hostile, "$(touch run)", "`touch run`", "'; touch run; '", "x'\ntouch run\n'"))
		content, gaps := Shell.Encode(variables)
		require.Empty(t, gaps)
		require.Equal(t, carried(variables, gaps), source(t, path, content), shell)
	}
}

func FuzzShell(f *testing.F) {
	for _, value := range hostile {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsRune(value, 0) {
			t.Skip("no environment has it")
		}
		variables := []Variable{{"A", value}, {"Z", "'after'"}}
		content, gaps := Shell.Encode(variables)
		require.Empty(t, gaps)
		require.Equal(t, carried(variables, gaps), source(t, "/bin/sh", content))
	})
}

func TestJSONIsReadBack(t *testing.T) {
	variables := environment(hostile)
	content, gaps := JSON.Encode(variables)
	got := make(map[string]string)
	require.NoError(t, json.Unmarshal(content, &got))
	require.Equal(t, carried(variables, gaps), got)
	require.Len(t, gaps, 2, "what is not UTF-8")
	require.NotContains(t, string(content), `\u003c`)
}

// readDocker reads as docker's kvfile does.
func readDocker(t *testing.T, content []byte) map[string]string {
	t.Helper()
	got := make(map[string]string)
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		require.True(t, utf8.Valid(lines.Bytes()))
		line := strings.TrimLeft(lines.Text(), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		require.NotContains(t, name, " ")
		got[name] = value
	}
	require.NoError(t, lines.Err())
	return got
}

func TestDockerIsReadBack(t *testing.T) {
	variables := environment(append(hostile, strings.Repeat("x", 1<<16)))
	content, gaps := Docker.Encode(variables)
	require.Equal(t, carried(variables, gaps), readDocker(t, content))
	for _, gap := range gaps {
		require.True(t, gap.Left)
	}
}

func TestNames(t *testing.T) {
	names := []string{"OK", "_", "a.b", "a-b", "1A", "a b", "#a", "a$(date)", "ü", "UID"}
	left := map[Format][]string{
		Dotenv: {"a-b", "1A", "a b", "#a", "a$(date)", "ü"},
		Docker: {"a b", "#a"},
		Shell:  {"a.b", "a-b", "1A", "a b", "#a", "a$(date)", "ü", "UID"},
		JSON:   nil,
	}
	for format, want := range left {
		var variables []Variable
		for _, name := range names {
			variables = append(variables, Variable{name, "1"})
		}
		_, gaps := format.Encode(variables)
		var got []string
		for _, gap := range gaps {
			require.NotEmpty(t, gap.Why)
			got = append(got, gap.Name)
		}
		require.Equal(t, want, got, format)
	}
}

func TestFormatNames(t *testing.T) {
	for path, want := range map[string]Format{
		".env": Dotenv, "dev.env": Dotenv, "x": Dotenv, "env.json": JSON, "ENV.JSON": JSON, "a/env.sh": Shell,
	} {
		require.Equal(t, want, FormatOf(path), path)
	}
	for _, f := range Formats {
		parsed, err := ParseFormat(string(f))
		require.NoError(t, err)
		require.Equal(t, f, parsed)
	}
	_, err := ParseFormat("yaml")
	require.ErrorContains(t, err, `"yaml"`)
}

func TestCommandKeepsTheMachinesOwn(t *testing.T) {
	own := []string{"PATH=/here", "HOME=/home/me", "A=mine", "ONLY=here"}
	container := []string{"PATH=/there", "HOME=/root", "HOSTNAME=pod", "LD_PRELOAD=/x.so", "A=theirs", "B=\xff\n",
		"KUBERNETES_SERVICE_HOST=10.0.0.1", "A=later"}
	require.Equal(t, []string{"A=later", "B=\xff\n", "HOME=/home/me", "KUBERNETES_SERVICE_HOST=10.0.0.1", "ONLY=here",
		"PATH=/here"},
		Command(own, container))
}

func TestCommandKeepsItsOwnRunTime(t *testing.T) {
	own := []string{"JAVA_HOME=/usr/lib/jvm", "LANG=de_DE.UTF-8", "LC_TIME=C"}
	container := []string{"JAVA_HOME=/opt/java", "JAVA_OPTS=-Xmx1g", "LANG=C.UTF-8", "LC_ALL=C", "BUNDLE_APP_CONFIG=/b",
		"NODE_PATH=/modules", "NODE_ENV=production", "SSL_CERT_FILE=/certs.pem", "LD_PRELOAD=/x.so", "TZ=UTC",
		"GOGC=50", "PYTHONUNBUFFERED=1", "npm_config_prefix=/npm", "PATH=/there"}
	require.Equal(t, []string{"GOGC=50", "JAVA_HOME=/usr/lib/jvm", "JAVA_OPTS=-Xmx1g", "LANG=de_DE.UTF-8", "LC_TIME=C",
		"NODE_ENV=production", "PYTHONUNBUFFERED=1", "TZ=UTC"}, Command(own, container))
	require.Equal(t, []string{"GOGC=50", "JAVA_HOME=/opt/java", "JAVA_OPTS=-Xmx1g", "LANG=de_DE.UTF-8", "LC_ALL=C",
		"LC_TIME=C", "NODE_ENV=production", "NODE_PATH=/modules", "PYTHONUNBUFFERED=1", "TZ=UTC"},
		Command(own, container, "JAVA_HOME", "LC_ALL", "NODE_PATH", "LD_PRELOAD", "PATH"),
		"what the manifest names, but for the machine's")
}
