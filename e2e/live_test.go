package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"
)

// key presses keys, by tmux's names.
func (s *screen) key(names ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys"}, names...)...)
}

func (s *screen) resize(width, height int) {
	s.t.Helper()
	s.tmux("resize-window", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height))
}

// in is the same screen for a subtest.
func (s *screen) in(t *testing.T) *screen { return &screen{t, s.socket} }

// hides waits until the screen shows a match and none of another pattern, and
// returns it.
func (s *screen) hides(pattern, but string) string {
	s.t.Helper()
	var text string
	require.Eventually(s.t, func() bool {
		text = s.shows(but)
		return !regexp.MustCompile("(?m)" + pattern).MatchString(text)
	}, readyTimeout, 50*time.Millisecond, "the screen still shows %s", pattern)
	return text
}

// shellPrompt is the shell's, alone on its line.
const shellPrompt = `^(\^C)?\$ ?$`

func TestLiveViewOfForwards(t *testing.T) {
	n := newNamespace(t).testserver("web", 2).testserver("api", 0)
	before := hostsFile(t)
	u := newUser(t, helperRule)
	u.write("xdg-open", "#!/bin/sh\necho $(id -u) $* >"+u.home+"/opened\n", 0o755)
	s := newScreen(t, u)
	s.tmux("set", "-s", "set-clipboard", "on")
	s.resize(110, 24)
	s.enter("DISPLAY=:0 PATH=$HOME:$PATH " + devtunPath() + " forward -n " + n.name)

	text := s.shows(`^›○ api .* 0 +0 +- +-\n +no ready pod$`)
	require.Regexp(t, `(?m)^devtun forward\.\d+ +`+n.name+` in .* 2 services +0 open .* 1 waiting$`, text)
	require.Regexp(t, `(?m)^ +SERVICE▲ +URL +ADDRESS +PODS +OPEN +SENT/s +RECV/s$`, text)
	require.Regexp(t, `(?m)^ ● web +http://web/ \+\d +127\.\S+ +2 +0 +- +-$`, text)
	require.Regexp(t, `(?m) ready: 2 services, 20 ports in `, text, "what was said stands below")
	require.Regexp(t, `(?m)^\? help +q quit`, text)

	t.Run("counts", func(t *testing.T) {
		s := s.in(t)
		address := regexp.MustCompile(`● web +\S+ \+\d +(127\.\S+)`).FindStringSubmatch(text)[1]
		conn, err := net.DialTimeout("tcp", address+":80", readyTimeout)
		require.NoError(t, err)
		defer conn.Close()
		s.shows(`^ ● web .* 2 +1 +- +-$`)
		s.shows(`1 open`)
		ctx, cancel := context.WithTimeout(t.Context(), 2*readyTimeout)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/bytes?n=10000000000", nil)
		require.NoError(t, err)
		reply, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer reply.Body.Close()
		read := inBackground(t, time.Millisecond, func(context.Context, int) error {
			_, err := reply.Body.Read(make([]byte, 1<<16))
			return err
		})
		s.shows(`^ ● web .* 2 +2 .* \d+ MB$`)
		require.NoError(t, read.stop())
		reply.Body.Close()
		conn.Close()
		s.shows(`^ ● web .* 2 +0 +- +-`)
	})
	t.Run("ready pods", func(t *testing.T) {
		s := s.in(t)
		n.scale("web", 1)
		s.shows(`^ ● web .* 1 +0 `)
		n.scale("web", 2)
		s.shows(`^ ● web .* 2 +0 `)
	})
	t.Run("filter", func(t *testing.T) {
		s := s.in(t)
		s.key("/", "w", "e")
		s.hides(`api`, `^/we +enter keep`)
		s.key("Enter")
		s.shows(`1 with "we"`)
		s.key("Escape")
		s.shows(`^.○ api `)
	})
	t.Run("sort", func(t *testing.T) {
		s := s.in(t)
		s.key("s")
		text := s.shows(`PODS▼`)
		require.Less(t, strings.Index(text, "● web"), strings.Index(text, "○ api"), text)
		s.key("S")
		text = s.shows(`PODS▲`)
		require.Greater(t, strings.Index(text, "● web"), strings.Index(text, "○ api"), text)
	})
	t.Run("recent connections", func(t *testing.T) {
		s := s.in(t)
		require.Contains(t, get(t, "curl", "http://web/who"), "web-")
		s.key("End", "Enter")
		text := s.shows(`^ENDED +PORT `)
		require.Regexp(t, `(?m)^url +http://web/ `, text)
		require.Regexp(t, `(?m)^address +127\.`, text)
		require.Regexp(t, `(?m)^pods +web-\S+ web-`, text)
		require.Regexp(t, `(?m)^\d+s +80 +127\.0\.0\.1:\d+ +web-\S+ +\d+ B +\d+ B +\S+s +(client|pod) closed`, text)
		s.key("Escape")
		s.shows(`^›● web `)
	})
	t.Run("requests, and then logs", func(t *testing.T) {
		s := s.in(t)
		s.key("l")
		s.shows(`^no request has ended yet`)
		require.Contains(t, get(t, "curl", "http://web/who"), "web-")
		s.shows(`^\d\d:\d\d:\d\d +127\.0\.0\.1:\d+ +GET /who +200 +\S+s +web-`)
		s.key("l")
		s.shows(`^\S{5} ready$`)
		s.key("Escape")
		s.shows(`^›● web `)
	})
	t.Run("open and copy", func(t *testing.T) {
		s := s.in(t)
		s.key("y")
		s.shows(`^copied http://web/$`)
		require.Equal(t, "http://web/", s.tmux("show-buffer"))
		s.key("o")
		s.shows(`^opened http://web/$`)
		require.Eventually(t, func() bool {
			opened, err := os.ReadFile(filepath.Join(u.home, "opened"))
			return err == nil && string(opened) == fmt.Sprintf("%d http://web/\n", u.uid)
		}, readyTimeout, 50*time.Millisecond)
	})
	t.Run("log", func(t *testing.T) {
		s := s.in(t)
		s.key("x")
		s.shows(`^x does nothing here; \? explains the keys$`)
		n.scale("web", 0)
		s.shows(` waiting web \(no ready pod\)$`)
		s.key("L", "g")
		s.shows(`^\S+ ready: 2 services, 20 ports in `)
		s.key("Escape")
		n.scale("web", 2)
		s.shows(` ready web$`)
	})
	t.Run("help", func(t *testing.T) {
		s := s.in(t)
		s.key("?")
		s.shows(`reverse the order`)
		s.key("Escape")
		s.shows(`^›● web `)
	})
	t.Run("a small terminal", func(t *testing.T) {
		s := s.in(t)
		s.resize(40, 10)
		text := s.shows(`^ +URL +PODS▲ +OPEN +RECV/s`)
		require.Regexp(t, `(?m)^›● http://web/ \+\d +\d +\d+ +(-|\d+ B)`, text)
		for line := range strings.Lines(text) {
			require.LessOrEqual(t, ansi.StringWidth(strings.TrimRight(line, "\n")), 40)
		}
		s.resize(110, 24)
		s.shows(`RECV/s`)
	})
	t.Run("quit", func(t *testing.T) {
		s := s.in(t)
		require.NotEqual(t, before, hostsFile(t))
		s.key("q")
		text := s.shows(shellPrompt)
		require.Regexp(t, `(?m)^ready: 2 services, 20 ports in `, text, "the summary stays")
		require.NotContains(t, text, "SERVICE", "the table does not")
		s.enter("echo ended with $?; stty -a | grep -owE 'echo|icanon'")
		s.shows(`^ended with 0\nicanon\necho$`)
		require.Equal(t, before, hostsFile(t))
	})
}

// TestLiveViewAfterAPassword: sudo asks on the terminal before there is a view, and
// a warning that comes meanwhile is seen, and is still there afterwards.
func TestLiveViewAfterAPassword(t *testing.T) {
	n := sharedWeb(t)
	before := hostsFile(t)
	s := newScreen(t, newUser(t, passwordRule))
	s.enter(devtunPath() + " forward -n " + n.name)
	s.shows(`\[sudo\] password for \S+: ?$`)
	s.enter(password)
	s.shows(`^›● web `)
	require.NoError(t, os.WriteFile("/etc/hosts", []byte(before), 0o644))
	s.shows(`warning: another program took devtun's names out`)
	s.shows(`^›● web `)
	s.key("C-c")
	s.shows(shellPrompt)
	s.shows(`^warning: another program took devtun's names out`)
	require.Equal(t, before, hostsFile(t))
}

// TestLiveViewEndsInGoodOrder: whatever ends devtun, the terminal is as before, and
// the error stands in it.
func TestLiveViewEndsInGoodOrder(t *testing.T) {
	n := sharedWeb(t)
	before := hostsFile(t)
	s := newScreen(t, newUser(t, helperRule))
	s.enter(devtunPath() + " forward -n " + n.name)
	s.shows(`^›● web `)
	for _, p := range s.family() {
		if filepath.Base(p.args[0]) == "devtun" && len(p.args) > 1 && p.args[1] == "forward" {
			require.NoError(t, syscall.Kill(p.pid, syscall.SIGTERM))
		}
	}
	s.shows(shellPrompt)
	s.enter("echo ended with $?")
	s.shows(`^ended with 0$`)
	require.Equal(t, before, hostsFile(t))

	s.enter("clear; " + devtunPath() + " forward -n " + n.name + " nosuch")
	s.shows(`^devtun: error: no service "nosuch"`)
	s.shows(`^hint: `)
}

// TestPlainLines: where a table would be out of place, there are lines as ever.
func TestPlainLines(t *testing.T) {
	n := sharedWeb(t)
	u := newUser(t, helperRule)
	forward := devtunPath() + " forward -n " + n.name
	for about, command := range map[string]string{
		"--plain":           forward + " --plain",
		"TERM=dumb":         "TERM=dumb " + forward,
		"a pipe":            forward + " | cat",
		"no keyboard":       forward + " </dev/null",
		"in the background": forward + " &",
	} {
		t.Run(about, func(t *testing.T) {
			s := newScreen(t, u)
			s.enter(command)
			s.shows(`^devtun: ready in `)
			text := s.shows(`^ready +web +http://web/ `) // by way of cat it may come later
			require.NotContains(t, text, "SERVICE")
			if about == "in the background" {
				s.enter("kill %1; wait")
			} else {
				s.key("C-c")
			}
			s.shows(shellPrompt)
		})
	}
	t.Run("a command", func(t *testing.T) {
		s := newScreen(t, u)
		s.enter(devtunPath() + " run -n " + n.name + " --port web:8080:80 -- sh -c 'read line; echo got $line'")
		s.shows(`^ready: `)
		s.enter("something")
		text := s.shows(`^got something$`)
		require.NotContains(t, text, "SERVICE")
	})
}

// TestLiveViewColours: colours are for those who want them.
func TestLiveViewColours(t *testing.T) {
	n := sharedWeb(t)
	u := newUser(t, helperRule)
	colour := regexp.MustCompile(`\x1b\[[0-9;]*3[0-7][;m]`)
	for variable, coloured := range map[string]bool{"": true, "NO_COLOR=1 ": false} {
		s := newScreen(t, u)
		s.enter("clear; " + variable + devtunPath() + " forward -n " + n.name)
		s.shows(`^›● web `)
		text := s.tmux("capture-pane", "-p", "-e")
		require.Equal(t, coloured, colour.MatchString(text), text)
		s.key("q")
		s.shows(shellPrompt)
	}
}

func TestLiveViewOfAnIntercept(t *testing.T) {
	n := newNamespace(t).examples()
	before, hosts := n.trace(), hostsFile(t)
	local := newLocalProcess(t)
	s := newScreen(t, newUser(t, helperRule))
	s.resize(120, 30)
	s.enter(devtunPath() + " intercept service-middle -n " + n.name + " --port " + local.port())
	text := s.shows(`^›○ service-middle:8080 +cluster .* 2 +0 `)
	require.Regexp(t, `(?m)^ +INTERCEPT +TRAFFIC `, text)
	require.Regexp(t, ` 1 intercept idle$`, strings.SplitN(text, "\n", 2)[0])
	require.Regexp(t, `(?m)^ ● service-back `, text)
	require.Regexp(t, `(?m)^devtun intercept\.\d+ +`+n.name+` in .* 1 intercept, 3 services `, text)

	local.start()
	s.shows(`^›● service-middle:8080 +localhost:` + strings.TrimSuffix(local.port(), ":8080") + ` `)
	require.Eventually(t, func() bool {
		answer, err := n.client.CoreV1().Services(n.name).ProxyGet("http", "service-front", "80", "/",
			nil).DoRaw(t.Context())
		return err == nil && strings.Contains(string(answer), developerSays)
	}, readyTimeout, 100*time.Millisecond)
	s.key("Enter")
	s.shows(`^deployment/service-middle standing, divert$`)
	s.shows(`[1-9]\d* in all, `)
	s.shows(`^\d+s +9090 +service-front-\S+ `)
	s.key("l")
	s.shows(`^\d\d:\d\d:\d\d +service-front-\S+ +GET / +200 +`)
	s.key("l")
	s.shows(`^\S{5} .*listening on `)
	s.key("Escape")
	s.shows(`^›● service-middle:8080`)

	s.key("q")
	s.shows(`ending: putting everything back`)
	text = s.shows(shellPrompt)
	require.Regexp(t, `(?m)^restored: Deployment "service-middle"$`, text)
	s.enter("echo ended with $?")
	s.shows(`^ended with 0$`)
	n.noAgents()
	n.asTraced(before)
	require.Equal(t, hosts, hostsFile(t))
}
