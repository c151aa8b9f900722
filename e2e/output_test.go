package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var escape = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// TestTextOutput looks at what a user sees, in a pipe and in a terminal.
func TestTextOutput(t *testing.T) {
	n := newNamespace(t).testserver("web", 1).testserver("no-pods", 0)
	n.apply(`{apiVersion: v1, kind: Service, metadata: {name: elsewhere}, spec: {type: ExternalName, externalName: example.test}}`)
	d := startForward(t, "-n", n.name)
	d.state("web", "ready", readyTimeout)
	d.stop()
	row := func(line, state, service, rest string) {
		address := fmt.Sprintf("http://%[1]s/ %[1]s:7000-7006 %[1]s:7999 %[1]s:9000", service)
		require.Regexp(t, fmt.Sprintf(`^%s +%s +%s \(127\.\d+\.\d+\.\d+, %s\)$`, state, service, address, rest), line)
	}
	for name, c := range map[string]struct {
		terminal         bool
		environment      []string
		colours, columns bool
	}{
		"pipe":                 {},
		"terminal":             {terminal: true, environment: []string{"TERM=xterm-256color"}, colours: true, columns: true},
		"terminal, NO_COLOR":   {terminal: true, environment: []string{"TERM=xterm-256color", "NO_COLOR=1"}, columns: true},
		"terminal, no colours": {terminal: true, environment: []string{"TERM=dumb"}, columns: true},
	} {
		t.Run(name, func(t *testing.T) {
			lines := transcript(t, c.terminal, c.environment, "-n", n.name)
			require.Equal(t, c.colours, escape.MatchString(strings.Join(lines, "\n")))
			if c.colours {
				require.Regexp(t, `^\x1b\[32mready *\x1b\[0m`, lines[2])
			}
			for i := range lines {
				lines[i] = escape.ReplaceAllString(lines[i], "")
			}
			require.Len(t, lines, 4)
			require.Regexp(t, `^skipped +elsewhere +\(.*ExternalName.*\)$`, lines[0])
			row(lines[1], "waiting", "no-pods", "no ready pod")
			row(lines[2], "ready", "web", "1 pod")
			require.Regexp(t, `^ready: 2 services, 20 ports in [0-9.]+m?s$`, lines[3])

			name, address := strings.Index(lines[1], "no-pods"), strings.Index(lines[1], " http:")
			inColumns := name == strings.Index(lines[0], "elsewhere") && name == strings.Index(lines[2], "web") &&
				address == strings.Index(lines[2], " http:")
			require.Equal(t, c.columns, inColumns, strings.Join(lines, "\n"))
			if !c.columns {
				require.NotContains(t, strings.Join(lines, "\n"), "  ")
			}
		})
	}
}

// transcript is what devtun writes to standard output, in lines, from its start
// until it is ready and then ended.
func transcript(t *testing.T, terminal bool, environment []string, args ...string) (lines []string) {
	t.Helper()
	open := os.Pipe
	if terminal {
		open = openTerminal
	}
	out, in, err := open()
	require.NoError(t, err)
	defer out.Close()
	var complaint bytes.Buffer
	cmd := exec.Command(devtunPath(), append([]string{"forward", "--kubeconfig", kubeconfig()}, args...)...)
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = in, &complaint
	require.NoError(t, cmd.Start())
	in.Close()
	late := time.AfterFunc(readyTimeout, func() { cmd.Process.Kill() })
	defer late.Stop()

	text := bufio.NewScanner(out)
	for text.Scan() {
		lines = append(lines, strings.TrimSuffix(text.Text(), "\r"))
		if strings.HasPrefix(text.Text(), "ready: ") {
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		}
	}
	// The end of a terminal is an error for its master.
	require.True(t, text.Err() == nil || errors.Is(text.Err(), syscall.EIO), text.Err())
	require.NoError(t, cmd.Wait(), complaint.String())
	require.Regexp(t, `^devtun: starting forward\ndevtun: ready in \S+\n$`, complaint.String())
	return lines
}

// openTerminal makes a pseudoterminal, whose slave is a terminal to write to and
// whose master reads what arrives there.
func openTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	if err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}
