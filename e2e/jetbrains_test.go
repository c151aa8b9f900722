package e2e

import (
	"bufio"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// runConfiguration is one of a JetBrains IDE's.
type runConfiguration struct {
	Name    string   `xml:"name,attr"`
	Type    string   `xml:"type,attr"`
	Options []option `xml:"option"`
	Before  []option `xml:"method>option"`
}

type option struct {
	Name   string `xml:"name,attr"`
	Value  string `xml:"value,attr"`
	Before string `xml:"run_configuration_name,attr"`
	Of     string `xml:"run_configuration_type,attr"`
}

func (c runConfiguration) option(name string) string {
	for _, o := range c.Options {
		if o.Name == name {
			return o.Value
		}
	}
	return ""
}

func (e *editor) runConfiguration(name string) runConfiguration {
	e.t.Helper()
	text, err := os.ReadFile(filepath.Join(e.folder, ".run", name+".run.xml"))
	require.NoError(e.t, err)
	var file struct {
		Configuration runConfiguration `xml:"configuration"`
	}
	require.NoError(e.t, xml.Unmarshal(text, &file))
	require.Equal(e.t, name, file.Configuration.Name)
	return file.Configuration
}

// script is the command of a Shell Script configuration, as the IDE runs it.
func (e *editor) script(name string) *exec.Cmd {
	e.t.Helper()
	c := e.runConfiguration(name)
	require.Equal(e.t, "ShConfigurationType", c.Type)
	require.Equal(e.t, "false", c.option("EXECUTE_IN_TERMINAL"), "else the IDE does not wait for it")
	cmd := exec.Command(c.option("INTERPRETER_PATH"), "-c", c.option("SCRIPT_TEXT"))
	cmd.Dir = strings.ReplaceAll(c.option("SCRIPT_WORKING_DIRECTORY"), "$PROJECT_DIR$", e.folder)
	cmd.Env = append(e.env, "PATH="+bed.Programs+":"+os.Getenv("PATH"))
	return cmd
}

// TestJetBrainsSteps runs what GoLand runs before the launch, from a process that
// stands for the IDE, with which the session ends.
func TestJetBrainsSteps(t *testing.T) {
	n := newNamespace(t).examples()
	objects := dynamicClient(t)
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	hosts := hostsFile(t)
	e := openExamples(t, n)

	debug := e.runConfiguration(middleDebugged)
	require.Equal(t, "GoApplicationRunConfiguration", debug.Type)
	require.Len(t, debug.Before, 1)
	require.Equal(t, "RunConfigurationTask", debug.Before[0].Name)
	require.Equal(t, "ShConfigurationType", debug.Before[0].Of)
	up := e.script(debug.Before[0].Before)

	// The IDE runs the step once for each line that it reads.
	ide := exec.Command("/bin/sh",
		append([]string{"-c", `while read -r line; do "$@" </dev/null; echo "exit code $?"; done`, "ide"}, up.Args...)...)
	ide.Dir, ide.Env = up.Dir, up.Env
	button, err := ide.StdinPipe()
	require.NoError(t, err)
	out, err := ide.StdoutPipe()
	require.NoError(t, err)
	ide.Stderr = ide.Stdout
	require.NoError(t, ide.Start())
	late := time.AfterFunc(3*time.Minute, func() { ide.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(out)
	press := func() (said []string) {
		_, err := button.Write([]byte("\n"))
		require.NoError(t, err)
		for lines.Scan() {
			said = append(said, lines.Text())
			if strings.HasPrefix(lines.Text(), "exit code ") {
				break
			}
		}
		require.Equal(t, "exit code 0", said[len(said)-1], strings.Join(said, "\n"))
		return said
	}

	said := press()
	require.Contains(t, strings.Join(said, "\n"), "\ndevtun: ready in ")
	require.Contains(t, e.envFile(filepath.Join(e.folder, "service-middle", ".env")), "SERVICE_BACK_SERVICE_HOST")
	require.Contains(t, get(t, "curl", "http://service-back/"), "service-back on ")
	answer, err := n.client.CoreV1().Services(n.name).ProxyGet("http", "service-front", "80", "/", nil).DoRaw(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(answer), "service-middle on service-middle-", "nobody listens here yet")
	press() // the next run finds the session

	require.NoError(t, button.Close())
	require.NoError(t, ide.Wait())
	n.asBefore(objects, before, "the IDE has ended")
	require.Eventually(t, func() bool { return hostsFile(t) == hosts }, time.Minute, 50*time.Millisecond)
	n.noAgents()
	require.NoFileExists(t, filepath.Join(e.folder, "service-middle", ".env"))

	down, err := e.script("devtun down service-middle").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(down), `no session "service-middle" is running`)
}
