package machine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

// nameOrder says whether programs look into the hosts file before they ask DNS.
func (o *Options) nameOrder(context.Context) []check.Result {
	if runtime.GOOS != "linux" {
		return nil // the system looks there first
	}
	text, err := os.ReadFile(filepath.Join(o.Etc, "nsswitch.conf"))
	if errors.Is(err, fs.ErrNotExist) {
		return []check.Result{result("name-order", check.OK, "there is no nsswitch.conf: the hosts file comes first")}
	}
	if err != nil {
		return []check.Result{result("name-order", check.NotChecked, err.Error())}
	}
	resolved, _ := os.ReadFile(filepath.Join(o.Etc, "systemd", "resolved.conf")) // without it, as it comes
	return []check.Result{judgeOrder(string(text), setting(string(resolved), "ReadEtcHosts"))}
}

// judgeOrder judges an nsswitch.conf (nsswitch.conf(5)). readsHosts is systemd-resolved's
// setting, "" for its default.
func judgeOrder(text, readsHosts string) check.Result {
	const name = "name-order"
	line := ""
	for l := range strings.Lines(text) {
		l, _, _ = strings.Cut(l, "#")
		if words, ok := strings.CutPrefix(strings.TrimSpace(l), "hosts:"); ok {
			line = strings.Join(strings.Fields(words), " ")
		}
	}
	if line == "" {
		return result(name, check.OK, "nsswitch.conf says nothing of hosts: the hosts file comes first")
	}
	r := result(name, check.OK, "hosts: "+line)
	services := strings.Fields(line)
	files, dns, resolve := slices.Index(services, "files"), slices.Index(services, "dns"),
		slices.Index(services, "resolve")
	const hint = "in /etc/nsswitch.conf, write 'hosts: files dns' (files first)"
	off := slices.Contains([]string{"no", "false", "off", "0"}, strings.ToLower(readsHosts))
	switch {
	case files < 0 && (resolve < 0 || off):
		r.Status, r.Message, r.Hint = check.Fault, "programs here do not look into the hosts file", hint
	case dns >= 0 && (files < 0 || dns < files) && (resolve < 0 || dns < resolve):
		r.Status, r.Message, r.Hint = check.Warning, "programs here ask DNS before they look into the hosts file", hint
	case resolve >= 0 && off && (files < 0 || resolve < files):
		r.Status, r.Message = check.Warning, "systemd-resolved is asked before the hosts file, and does not read it itself"
		r.Hint = "in /etc/systemd/resolved.conf, take out ReadEtcHosts=no; or " + hint
	default:
		return r
	}
	r.Evidence = []string{"/etc/nsswitch.conf has: hosts: " + line}
	return r
}

// setting is a value of a file of systemd's, "" without one.
func setting(text, name string) (value string) {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			value = strings.TrimSpace(v)
		}
	}
	return value
}
