package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http/httpproxy"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/run/command"
)

func TestClock(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		clock Clock
		want  check.Status
		says  string
	}{
		"right":                    {Clock{}, check.OK, "as the API server's"},
		"nearly":                   {Clock{Offset: -4 * time.Second}, check.OK, "as the API server's"},
		"behind":                   {Clock{Offset: 10 * time.Second}, check.Warning, "10s behind"},
		"ahead":                    {Clock{Offset: -time.Minute}, check.Fault, "1m0s ahead of"},
		"before the certificate":   {Clock{9 * time.Second, now.Add(time.Second), now.Add(day)}, check.Fault, "9s behind"},
		"of an old certificate":    {Clock{0, now.Add(-2 * day), now.Add(-day)}, check.OK, "as the API server's"},
		"within the certificate's": {Clock{30 * time.Second, now.Add(-day), now.Add(day)}, check.Warning, "30s behind"},
	} {
		r := c.clock.judge(now)
		require.Equal(t, c.want, r.Status, name)
		require.Contains(t, r.Message, c.says, name)
		require.Equal(t, c.want != check.OK, r.Hint != "", name)
	}
	o := Options{Clock: func() (Clock, error) { return Clock{}, errors.New("the API server does not answer") }}
	require.Equal(t, check.NotChecked, o.clock(t.Context())[0].Status)
}

func TestNameOrder(t *testing.T) {
	for line, want := range map[string]check.Status{
		"hosts: files dns": check.OK,
		"hosts:\tfiles mdns4_minimal [NOTFOUND=return] dns myhostname":     check.OK,
		"hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns": check.OK,
		"passwd: files\n":                      check.OK,
		"hosts: dns":                           check.Fault,
		"hosts: db # files":                    check.Fault,
		"hosts: dns files":                     check.Warning,
		"hosts: dns [!UNAVAIL=return] resolve": check.Warning,
	} {
		r := judgeOrder(line, "")
		require.Equal(t, want, r.Status, line)
		require.Equal(t, want != check.OK, r.Hint != "", line)
	}
	const resolved = "hosts: resolve [!UNAVAIL=return] files dns"
	require.Equal(t, check.OK, judgeOrder(resolved, "").Status)
	require.Equal(t, check.OK, judgeOrder(resolved, setting("[Resolve]\nReadEtcHosts=yes\n", "ReadEtcHosts")).Status)
	require.Equal(t, check.Warning, judgeOrder(resolved, setting("[Resolve]\nReadEtcHosts=no\n", "ReadEtcHosts")).Status)
	require.Equal(t, check.Fault, judgeOrder("hosts: resolve dns", "no").Status)
}

func TestNameOrderOfTheSystem(t *testing.T) {
	etc := t.TempDir()
	o := Options{Etc: etc}
	require.Equal(t, check.OK, o.nameOrder(t.Context())[0].Status, "musl has no such file")
	require.NoError(t, os.WriteFile(filepath.Join(etc, "nsswitch.conf"), []byte("hosts: dns\n"), 0o644))
	r := check.FirstFault(o.nameOrder(t.Context()))
	require.NotNil(t, r)
	require.Equal(t, "programs here do not look into the hosts file", r.Message)
}

func TestProxy(t *testing.T) {
	proxy := "http://user:secret@proxy.corp:3128"
	for name, c := range map[string]struct {
		settings httpproxy.Config
		want     check.Status
	}{
		"none":               {httpproxy.Config{}, check.OK},
		"for everything":     {httpproxy.Config{HTTPProxy: proxy}, check.Warning},
		"for HTTPS":          {httpproxy.Config{HTTPSProxy: proxy, NoProxy: "localhost,.svc"}, check.Warning},
		"but for the names":  {httpproxy.Config{HTTPProxy: proxy, NoProxy: "web,.demo,.svc,.cluster.local"}, check.OK},
		"for nothing at all": {httpproxy.Config{HTTPProxy: proxy, HTTPSProxy: proxy, NoProxy: "*"}, check.OK},
	} {
		r := judgeProxy(&c.settings, "web", "demo")
		require.Equal(t, c.want, r.Status, name)
		if c.want == check.Warning {
			require.NotContains(t, r.Message, "secret")
			require.Contains(t, r.Hint, "NO_PROXY=")
			require.Contains(t, r.Evidence[0], "://web/")
		}
	}
}

func TestSudo(t *testing.T) {
	failed := errors.New("exit status 1")
	for said, c := range map[string]struct {
		err  error
		want check.Status
	}{
		"/usr/bin/devtun helper\n":                          {nil, check.OK},
		"sudo: a password is required\n":                    {failed, check.OK},
		"sudo: a terminal is required to read the password": {failed, check.OK},
		"Sorry, user me may not run sudo on here.\n":        {failed, check.Warning},
		"": {context.DeadlineExceeded, check.NotChecked},
	} {
		require.Equal(t, c.want, judgeSudo(said, c.err).Status, said)
	}
	require.Contains(t, judgeSudo("Sorry, user me may not run sudo on here.\n", failed).Evidence[0], "may not run sudo")
}

func TestUserNamespaces(t *testing.T) {
	require.Equal(t, check.OK, judgePrivate(nil).Status)
	require.Equal(t, check.NotChecked, judgePrivate(errors.New("no such program")).Status)
	r := judgePrivate(&command.ForbiddenError{By: "kernel.apparmor_restrict_unprivileged_userns=1", Err: syscall.EACCES})
	require.Equal(t, check.Warning, r.Status)
	require.Contains(t, r.Message, "apparmor_restrict_unprivileged_userns")
	require.Contains(t, r.Hint, "Debian package")
	r = judgePrivate(&command.ForbiddenError{By: "user.max_user_namespaces=0", Err: syscall.ENOSPC})
	require.NotContains(t, r.Hint, "AppArmor")
}

func TestLoginShell(t *testing.T) {
	self := filepath.Join(t.TempDir(), "devtun")
	link, other := filepath.Join(t.TempDir(), "devtun"), filepath.Join(t.TempDir(), "devtun")
	require.NoError(t, os.WriteFile(self, nil, 0o755))
	require.NoError(t, os.WriteFile(other, nil, 0o755))
	require.NoError(t, os.Symlink(self, link))
	for said, want := range map[string]struct {
		status check.Status
		says   string
	}{
		self + "\n":              {check.OK, self},
		link + "\n":              {check.OK, link},
		"Welcome!\n" + self:      {check.OK, self},
		"":                       {check.Warning, "does not find devtun"},
		"sh: devtun: not found":  {check.Warning, "does not find devtun"},
		other:                    {check.Warning, "finds another devtun"},
		filepath.Join(self, "x"): {check.Warning, "finds another devtun"},
	} {
		r := judgeShell("/bin/sh", said, self)
		require.Equal(t, want.status, r.Status, said)
		require.Contains(t, r.Message, want.says)
	}
}

// TestAShellThatHangs does not keep doctor waiting, nor does what it has left running.
func TestAShellThatHangs(t *testing.T) {
	shell := filepath.Join(t.TempDir(), "shell")
	require.NoError(t, os.WriteFile(shell, []byte("#!/bin/sh\nsleep 5 & exec sleep 5\n"), 0o755))
	begun := time.Now()
	_, err := bounded(t.Context(), 100*time.Millisecond, shell)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(begun), 3*time.Second)
}
