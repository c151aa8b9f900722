package live

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/status"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// snapshot is a session with a service in each state, and an intercept.
func snapshot() status.Snapshot {
	failed := noon.Add(-90 * time.Second)
	use := func(open int, sent, received int64) status.Use {
		return status.Use{Open: open, Total: 7, Sent: sent, Received: received}
	}
	web := use(3, 1000, 2_000_000)
	web.LastError, web.LastErrorAt = "refused by the pod: no", &failed
	web.Recent = []status.Connection{
		{Ended: noon.Add(-2 * time.Second), Port: 80, Client: "127.0.0.1:4711", Pod: "web-a", Sent: 80, Received: 12_345,
			Seconds: 1.5, Reason: "client closed"},
		{Ended: failed, Port: 80, Client: "127.0.0.1:4710", Pod: "web-b", Seconds: 0.025, Reason: "refused by the pod",
			Error: "no"},
	}
	return status.Snapshot{
		Namespace: "demo", Context: "kind", State: status.Ready, Since: noon.Add(-time.Hour),
		Services: []status.Service{
			{Namespace: "demo", Service: "alias", State: "skipped", Reason: "it is an alias"},
			{Namespace: "demo", Service: "api", State: "waiting", Reason: "no ready pod", Address: "127.9.9.8",
				Names: []string{"api", "api.demo"}, Ports: []status.Port{{Local: 8080, Port: 80}}, Use: use(1, 0, 0)},
			{Namespace: "shop", Service: "db", Pod: "db-0", State: "failed", Reason: "the port is in use", Address: "127.9.9.7",
				Names: []string{"db-0.db.shop"}, Ports: []status.Port{{Local: 5432, Port: 5432}}},
			{Namespace: "demo", Service: "web", State: "ready", Address: "127.9.9.9", Names: []string{"web", "web.demo"},
				Ports: []status.Port{{Local: 7000, Port: 7000}, {Local: 80, Port: 80}}, Pods: 2,
				Endpoints: []string{"web-a", "web-b"}, Use: web},
		},
		Intercepts: []status.Intercept{{
			Name: "middle", Namespace: "demo", Workload: "deployment/middle", Mode: "divert", Rule: "everything",
			State:  status.Standing,
			Agents: 2,
			Routes: []status.Route{
				{Services: []string{"middle:80"}, Port: 8080, Local: "localhost:3000", Open: true, To: "developer"},
				{Services: []string{"middle:90"}, Port: 9090, Local: "localhost:9090", To: "origin",
					Reason: "nothing listens on localhost:9090"},
			},
			Use: use(2, 0, 0),
		}},
	}
}

// seen is a model that has had a frame of s, in a terminal of that size.
func seen(s status.Snapshot, width, height int) *model {
	m := newModel(acts{quit: func() {}}, true)
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	m.Update(frame{at: noon, Snapshot: s})
	return m
}

// press presses keys, by name, or types text.
func press(m *model, keys ...string) (last tea.Cmd) {
	codes := map[string]tea.Key{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "down": {Code: tea.KeyDown},
		"up": {Code: tea.KeyUp}, "end": {Code: tea.KeyEnd},
		"home": {Code: tea.KeyHome}, "pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown},
		"backspace": {Code: tea.KeyBackspace},
		"ctrl+c":    {Code: 'c', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
	}
	for _, name := range keys {
		if code, ok := codes[name]; ok {
			_, last = m.Update(tea.KeyPressMsg(code))
			continue
		}
		for _, r := range name {
			_, last = m.Update(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
	return last
}

// shown is what the model shows, without colours. It fits.
func shown(t *testing.T, m *model) []string {
	t.Helper()
	lines := m.draw()
	require.LessOrEqual(t, len(lines), m.height)
	for i := range lines {
		require.LessOrEqual(t, ansi.StringWidth(lines[i]), m.width, lines[i])
		lines[i] = strings.TrimRight(ansi.Strip(lines[i]), " ")
	}
	return lines
}

func text(t *testing.T, m *model) string { return strings.Join(shown(t, m), "\n") }

// names is the order of the services on the screen.
func names(m *model) (list []string) {
	for _, r := range m.rows {
		if !r.intercept {
			list = append(list, r.name)
		}
	}
	return list
}

func TestRates(t *testing.T) {
	s := snapshot()
	m := seen(s, 120, 20)
	for n := 1; n <= 10; n++ {
		s.Services[3].Sent += 500
		s.Services[3].Received += 600_000
		m.Update(frame{at: noon.Add(time.Duration(n) * 500 * time.Millisecond), Snapshot: s})
	}
	require.Contains(t, text(t, m), "1.0 kB   1.2 MB")
	require.Contains(t, shown(t, m)[0], "↑1.0 kB/s ↓1.2 MB/s")
	for n := 11; n <= 15; n++ {
		m.Update(frame{at: noon.Add(time.Duration(n) * 500 * time.Millisecond), Snapshot: s})
	}
	require.NotContains(t, text(t, m), "MB", "nothing goes any more")
	s.Services[3].Sent, s.Services[3].Received = 0, 0
	m.Update(frame{at: noon.Add(9 * time.Second), Snapshot: s})
	require.Zero(t, m.rates["service/demo/web/"].received, "another forward in the place of the first")
}

func TestFilter(t *testing.T) {
	m := seen(snapshot(), 100, 20)
	press(m, "/", "WEx", "backspace")
	require.Equal(t, []string{"web"}, names(m), "as it is typed, in any case")
	require.Contains(t, text(t, m), "/WE   enter keep  esc undo")
	press(m, "enter")
	require.Contains(t, text(t, m), `1 with "WE"`)
	press(m, "/", "q")
	require.Empty(t, m.rows, "q is a letter there")
	require.Contains(t, text(t, m), `nothing with "WEq"`)
	press(m, "esc")
	require.Equal(t, []string{"web"}, names(m), "the filter before")
	press(m, "esc")
	require.Len(t, m.rows, 5)
	press(m, "/", "in use", "enter")
	require.Equal(t, []string{"db-0.db.shop"}, names(m), "what is amiss is looked at, too")
	press(m, "/", "ctrl+u", "enter")
	require.Len(t, m.rows, 5)
	press(m, "/", "an alias", "enter")
	require.Equal(t, []string{"alias"}, names(m), "what is not forwarded, and folded else")
	press(m, "esc")
	press(m, "/")
	m.Update(tea.PasteMsg{Content: "web-b"})
	require.Equal(t, []string{"web"}, names(m), "the pods as well; pasted")
}

func TestSort(t *testing.T) {
	m := seen(snapshot(), 100, 22)
	press(m, "f")
	require.Equal(t, []string{"api", "db-0.db.shop", "web", "alias"}, names(m))
	press(m, "S")
	require.Equal(t, []string{"web", "db-0.db.shop", "api", "alias"}, names(m), "what is not forwarded stays last")
	require.Contains(t, text(t, m), "SERVICE▼")
	require.Contains(t, text(t, m), "sorted by service, reversed")
	m.selected = "service/demo/api/"
	for column, first := range map[int]string{1: "web", 2: "web", 5: "api"} {
		m.by, m.reverse = column-1, true
		press(m, "s")
		require.Equal(t, first, names(m)[0], orders[column].column)
		require.Contains(t, text(t, m), "sorted by "+strings.ToLower(orders[column].column))
		require.Equal(t, "service/demo/api/", m.selected, "the selection goes with its row")
	}
	m.by = 0
	press(m, "s")
	require.Contains(t, text(t, m), "PODS▼")
	m.by = len(orders) - 1
	press(m, "s")
	require.Equal(t, []string{"api", "db-0.db.shop", "web", "alias"}, names(m), "and round again")
}

func TestConnections(t *testing.T) {
	m := seen(snapshot(), 100, 20)
	press(m, "down", "down", "j", "j", "enter")
	require.Equal(t, []string{
		"web",
		"url      http://web/ web:7000",
		"address  127.9.9.9, ports 7000,80",
		"names    web web.demo",
		"pods     web-a web-b",
		"3 open, 7 in all, 1.0 kB sent, 2.0 MB received",
		"last error, 1m ago: refused by the pod: no",
		"",
		"ENDED    PORT  CLIENT          POD       SENT     RECV     TOOK  WHY IT ENDED",
		"2s         80  127.0.0.1:4711  web-a     80 B    12 kB     1.5s  client closed",
		"1m         80  127.0.0.1:4710  web-b      0 B      0 B     25ms  refused by the pod: no",
	}, shown(t, m)[1:12])
	press(m, "end", "home", "up")
	require.Contains(t, text(t, m), "2s         80")
	press(m, "?")
	require.Contains(t, text(t, m), "reverse the order")
	press(m, "x")
	require.Contains(t, text(t, m), "WHY IT ENDED", "back from help")

	press(m, "esc", "/", "refused", "enter", "enter")
	calm := snapshot()
	calm.Services[3].LastError = ""
	m.Update(frame{at: noon, Snapshot: calm})
	require.Contains(t, text(t, m), "WHY IT ENDED", "the filter is for the overview")
	press(m, "esc", "esc", "end", "enter")

	gone := snapshot()
	gone.Services = gone.Services[:3]
	m.Update(frame{at: noon, Snapshot: gone})
	require.Contains(t, text(t, m), "it is gone")
	press(m, "esc")
	require.Contains(t, text(t, m), "›", "something else is selected")

	press(m, "home", "enter")
	require.Contains(t, text(t, m), "deployment/middle standing, divert")
	require.Contains(t, text(t, m), "no connection has ended yet")
}

func TestQuit(t *testing.T) {
	for _, key := range []string{"q", "ctrl+c"} {
		asked := 0
		m := newModel(acts{quit: func() { asked++ }}, true)
		m.Update(frame{at: noon, Snapshot: snapshot()})
		press(m, "enter")
		require.Nil(t, press(m, key), "the view stays until all has been put back")
		press(m, key, key)
		require.Equal(t, map[string]int{"q": 1, "ctrl+c": 3}[key], asked, "who insists is heard")
		require.Contains(t, text(t, m), "ending: putting everything back")
		require.Contains(t, text(t, m), "please wait")
	}
	m := newModel(acts{}, false)
	require.Contains(t, text(t, m), "waiting for the session")
	m.Update(frame{at: noon, Snapshot: snapshot()})
	require.Contains(t, text(t, m), "q leave")
	require.NotNil(t, press(m, "q"))
}

// TestKeysThatDoNothing say so, until the next one.
func TestKeysThatDoNothing(t *testing.T) {
	m := seen(snapshot(), 80, 24)
	last := func() string { return shown(t, m)[23] }
	press(m, "z")
	require.Equal(t, "z does nothing here; ? explains the keys", last())
	press(m, "down")
	require.Contains(t, last(), "? help")
	press(m, "enter", "/")
	require.Equal(t, "/ does nothing here; ? explains the keys", last())
	press(m, "esc", "i")
	require.Equal(t, "i does nothing here: the session's own table gives it back", last())
	press(m, "end", "i")
	require.Equal(t, "i does nothing here: 'devtun intercept web' intercepts it", last())
	m = seen(status.Snapshot{State: status.Ready}, 80, 24)
	for _, key := range []string{"o", "y", "l", "i"} {
		press(m, key)
		require.Equal(t, "nothing is selected", last())
	}
	press(m, "f", "f")
	require.Equal(t, "every service is forwarded", last())
}

// TestEveryKeyIsExplained: the page of help has each that does something.
func TestEveryKeyIsExplained(t *testing.T) {
	var explained strings.Builder
	for _, k := range keyHelp {
		explained.WriteString(k[0] + " " + k[1] + " ")
	}
	for _, name := range []string{"o", "y", "l", "i", "f", "/", "s", "S", "L", "g", "G", "j", "k", "?", "q"} {
		require.Regexp(t, `(^|\W)`+regexp.QuoteMeta(name)+`(\W|$)`, explained.String())
		m := seen(snapshot(), 80, 24)
		press(m, name)
		require.NotContains(t, m.note, "? explains", name)
	}
}

func TestOpenAndCopy(t *testing.T) {
	m := seen(snapshot(), 80, 24)
	var opened []string
	m.acts.open = func(url string) error {
		opened = append(opened, url)
		return map[bool]error{true: errors.New("there is no desktop here")}[len(opened) > 1]
	}
	act := func(keys ...string) string {
		t.Helper()
		m.Update(press(m, keys...)())
		return shown(t, m)[23]
	}
	press(m, "end")
	require.Equal(t, "opened http://web/", act("o"))
	require.Equal(t, "http://web/ was not opened: there is no desktop here", act("o"))
	require.Equal(t, []string{"http://web/", "http://web/"}, opened)
	require.Equal(t, tea.SetClipboard("http://web/")(), press(m, "y")())
	require.Equal(t, "copied http://web/", m.note)
	press(m, "up")
	require.Equal(t, tea.SetClipboard("db-0.db.shop:5432")(), press(m, "y")())
	require.Nil(t, press(m, "o"))
	require.Equal(t, "db-0.db.shop has no URL to open", m.note)
	press(m, "home", "y")
	require.Equal(t, "middle:80 has no URL to copy", m.note)
}

// TestOpenURL only where a user has a desktop.
func TestOpenURL(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("a desktop is always there")
	}
	require.ErrorContains(t, openURL("http://web/", []string{"DISPLAY="}), "; y copies it")
	require.True(t, isDesktop("WAYLAND_DISPLAY=wayland-0"))
	require.False(t, isDesktop("DISPLAY="))
}

func TestRequestsAndLogs(t *testing.T) {
	m := seen(snapshot(), 80, 24)
	var read []string
	m.acts.read = func(namespace, service string) { read = append(read, namespace+"/"+service) }
	begun, ended := []Pods{}, 0
	m.acts.logs = func(of int, pods Pods) func() {
		begun = append(begun, pods)
		return func() { ended++ }
	}
	press(m, "end", "l")
	require.Equal(t, []string{"demo/web"}, read)
	require.Contains(t, text(t, m), "web  requests\nno request has ended yet")
	s := snapshot()
	s.Services[3].Requests = []status.Request{{Ended: noon, Caller: "127.0.0.1:4711", What: "GET /", Outcome: "200"}}
	m.Update(frame{at: noon, Snapshot: s})
	require.Contains(t, text(t, m), "127.0.0.1:4711  GET /")

	press(m, "l")
	require.Equal(t, []Pods{{Namespace: "demo", Names: []string{"web-a", "web-b"}}}, begun)
	require.Contains(t, text(t, m), "web  pods' logs\nnothing yet")
	var lines []string
	for n := range 30 {
		lines = append(lines, fmt.Sprintf("\x1b[31mline\t%d\x07", n))
	}
	m.Update(podLines{m.tail.of, lines})
	m.Update(podLines{m.tail.of - 1, []string{"of another"}})
	require.Contains(t, text(t, m), "line    29")
	require.NotContains(t, text(t, m), "line    8\n", "the end is followed")
	require.NotContains(t, text(t, m), "another")
	press(m, "g")
	require.Contains(t, text(t, m), "line    0")
	m.Update(podLines{m.tail.of, []string{"line 30"}})
	require.NotContains(t, text(t, m), "line 30", "who looks back is not disturbed")
	press(m, "G")
	require.Contains(t, text(t, m), "line 30")

	s.Services[3].Endpoints = []string{"web-b", "web-c"}
	m.Update(frame{at: noon, Snapshot: s})
	require.Equal(t, Pods{Namespace: "demo", Names: []string{"web-c"}}, begun[1], "a pod that comes later")
	press(m, "l")
	require.Contains(t, text(t, m), "web  requests", "and back")
	require.Equal(t, 2, ended)
	press(m, "esc", "home", "l", "l")
	require.Equal(t, Pods{Namespace: "demo", Workload: "deployment/middle"}, begun[2])
	press(m, "esc")
	require.Equal(t, 3, ended)
}

// TestSelectionFollows a service into its intercept and back, and a note goes by itself.
func TestSelectionFollows(t *testing.T) {
	m := seen(snapshot(), 80, 24)
	press(m, "end", "z")
	s := snapshot()
	s.Services = s.Services[:3]
	s.Intercepts = append(s.Intercepts, status.Intercept{Name: "web", Namespace: "demo", State: status.Standing,
		Routes: []status.Route{{Services: []string{"web:80"}, Port: 80, To: "origin"}}})
	m.Update(frame{at: noon.Add(time.Second), Snapshot: s})
	require.Equal(t, "intercept/demo/web/80", m.selected)
	require.Contains(t, text(t, m), "z does nothing here")
	m.Update(frame{at: noon.Add(6 * time.Second), Snapshot: snapshot()})
	require.Equal(t, "service/demo/web/", m.selected)
	require.NotContains(t, text(t, m), "z does nothing here")
}

func TestToggle(t *testing.T) {
	m := seen(snapshot(), 80, 24)
	var asked []string
	m.acts.toggle = func(intercepted bool, namespace, service string) string {
		asked = append(asked, fmt.Sprint(intercepted, " ", namespace, " ", service))
		return "intercepting it"
	}
	press(m, "i", "end", "i")
	require.Equal(t, []string{"true demo middle", "false demo web"}, asked)
	require.Equal(t, "intercepting it", shown(t, m)[23])
}

func TestAThousandServicesScroll(t *testing.T) {
	s := status.Snapshot{Namespace: "demo", State: status.Ready}
	for n := range 1000 {
		s.Services = append(s.Services,
			status.Service{Namespace: "demo", Service: fmt.Sprintf("web-%03d", n), State: "ready", Address: "127.1.1.1",
				Names: []string{fmt.Sprintf("web-%03d", n)}, Ports: []status.Port{{Local: 80, Port: 80}}, Pods: 1})
	}
	m := seen(s, 80, 24)
	require.Contains(t, text(t, m), "›● web-000")
	press(m, "end")
	require.Contains(t, text(t, m), "›● web-999")
	require.Contains(t, text(t, m), "SERVICE▲", "the titles stay")
	press(m, "up")
	require.Contains(t, text(t, m), "›● web-998")
	require.Contains(t, text(t, m), " ● web-999", "it scrolls only when it must")
	press(m, "home", "pgdown")
	require.Contains(t, text(t, m), "›● web-016")
	m.Update(tea.WindowSizeMsg{Width: 40, Height: 6})
	require.Contains(t, text(t, m), "›● http://web-016/", "what is selected stays in sight")
}
