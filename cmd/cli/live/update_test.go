package live

import (
	"fmt"
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
				Ports: []status.Port{{Local: 8080, Port: 80}}, Use: use(1, 0, 0)},
			{Namespace: "shop", Service: "db", Pod: "db-0", State: "failed", Reason: "the port is in use", Address: "127.9.9.7",
				Ports: []status.Port{{Local: 5432, Port: 5432}}},
			{Namespace: "demo", Service: "web", State: "ready", Address: "127.9.9.9", Names: []string{"web", "web.demo"},
				Ports: []status.Port{{Local: 80, Port: 80}}, Pods: 2, Endpoints: []string{"web-a", "web-b"}, Use: web},
		},
		Intercepts: []status.Intercept{{
			Name: "middle", Namespace: "demo", Workload: "deployment/middle", Mode: "divert", State: status.Standing, Agents: 2,
			Routes: []status.Route{
				{Services: []string{"middle:80"}, Port: 8080, Local: "localhost:3000", Open: true, To: "developer"},
				{Services: []string{"middle:90"}, Port: 9090, Local: "localhost:9090", To: "origin",
					Reason: "no local process listens"},
			},
			Use: use(2, 0, 0),
		}},
	}
}

// seen is a model that has had a frame of s, in a terminal of that size.
func seen(s status.Snapshot, width, height int) *model {
	m := newModel(func() {})
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	m.Update(frame{at: noon, Snapshot: s})
	return m
}

// press presses keys, by name, or types text.
func press(m *model, keys ...string) (last tea.Cmd) {
	codes := map[string]tea.Key{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "down": {Code: tea.KeyDown},
		"up": {Code: tea.KeyUp}, "end": {Code: tea.KeyEnd},
		"home": {Code: tea.KeyHome}, "pgdown": {Code: tea.KeyPgDown}, "backspace": {Code: tea.KeyBackspace},
		"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
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

// screen is what the model shows, without colours. It fits.
func screen(t *testing.T, m *model) []string {
	t.Helper()
	lines := m.draw()
	require.LessOrEqual(t, len(lines), m.height)
	for i := range lines {
		require.LessOrEqual(t, ansi.StringWidth(lines[i]), m.width, lines[i])
		lines[i] = strings.TrimRight(ansi.Strip(lines[i]), " ")
	}
	return lines
}

func text(t *testing.T, m *model) string { return strings.Join(screen(t, m), "\n") }

// names is the order of the services on the screen.
func names(m *model) (list []string) {
	for _, r := range m.rows {
		if !r.intercept {
			list = append(list, r.name)
		}
	}
	return list
}

func TestOverview(t *testing.T) {
	m := seen(snapshot(), 104, 17)
	require.Equal(t, []string{
		"devtun  demo in kind                        1 intercept, 2 services  6 open  ↑0 B/s ↓0 B/s  1h00m  ready",
		"   INTERCEPTED   TRAFFIC           PORT     AGENT   OPEN   SENT/s   RECV/s  LAST ERROR",
		"›● middle:80     → localhost:3000  8080         2      2        -        -",
		" ○ middle:90     → the origin      9090         2      0        -        -  no local process listens",
		"",
		"   SERVICE▲      ADDRESS           PORTS     PODS   OPEN   SENT/s   RECV/s  LAST ERROR",
		" ○ api           127.9.9.8         8080:80      0      1        -        -  no ready pod",
		" ✗ db-0.db.shop  127.9.9.7         5432         0      0        -        -  the port is in use",
		" ● web           127.9.9.9         80           2      3        -        -  1m refused by the pod: no",
		" - alias         skipped                                                    it is an alias",
		"", "", "", "", "", "",
		"? help  q quit  / filter  s sort  enter connections  ↑↓ select  r reverse",
	}, screen(t, m))
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
	require.Contains(t, screen(t, m)[0], "↑1.0 kB/s ↓1.2 MB/s")
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
	require.Len(t, m.rows, 6)
	press(m, "/", "in use", "enter")
	require.Equal(t, []string{"db-0.db.shop"}, names(m), "what is amiss is looked at, too")
	press(m, "/", "ctrl+u", "enter")
	require.Len(t, m.rows, 6)
	press(m, "/")
	m.Update(tea.PasteMsg{Content: "web-b"})
	require.Equal(t, []string{"web"}, names(m), "the pods as well; pasted")
}

func TestSort(t *testing.T) {
	m := seen(snapshot(), 100, 20)
	require.Equal(t, []string{"api", "db-0.db.shop", "web", "alias"}, names(m))
	press(m, "r")
	require.Equal(t, []string{"web", "db-0.db.shop", "api", "alias"}, names(m), "what is not forwarded stays last")
	require.Contains(t, text(t, m), "SERVICE▼")
	m.selected = "service/demo/api/"
	for column, first := range map[int]string{1: "db-0.db.shop", 2: "web", 3: "web", 6: "api"} {
		m.by, m.reverse = column-1, true
		press(m, "s")
		require.Equal(t, first, names(m)[0], orders[column].column)
		require.Contains(t, text(t, m), orders[column].column+orders[column].sign)
		require.Equal(t, "service/demo/api/", m.selected, "the selection goes with its row")
	}
	m.by = len(orders) - 1
	press(m, "s")
	require.Equal(t, []string{"api", "db-0.db.shop", "web", "alias"}, names(m), "and round again")
}

func TestConnections(t *testing.T) {
	m := seen(snapshot(), 100, 20)
	press(m, "down", "down", "j", "j", "enter")
	require.Equal(t, []string{
		"web  127.9.9.9:80",
		"names  web web.demo",
		"pods   web-a web-b",
		"3 open, 7 in all, 1.0 kB sent, 2.0 MB received",
		"last error: 1m refused by the pod: no",
		"",
		"ENDED    PORT  CLIENT          POD       SENT     RECV     TOOK  WHY IT ENDED",
		"2s         80  127.0.0.1:4711  web-a     80 B    12 kB     1.5s  client closed",
		"1m         80  127.0.0.1:4710  web-b      0 B      0 B     25ms  refused by the pod: no",
	}, screen(t, m)[1:10])
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
	press(m, "esc", "esc", "end", "up", "enter")

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
		m := newModel(func() { asked++ })
		m.Update(frame{at: noon, Snapshot: snapshot()})
		press(m, "enter")
		require.Nil(t, press(m, key), "the view stays until all has been put back")
		press(m, key, key)
		require.Equal(t, map[string]int{"q": 1, "ctrl+c": 3}[key], asked, "who insists is heard")
		require.Contains(t, text(t, m), "ending: putting everything back")
		require.Contains(t, text(t, m), "please wait")
	}
	m := newModel(nil)
	require.Contains(t, text(t, m), "waiting for the session")
	m.Update(frame{at: noon, Snapshot: snapshot()})
	require.Contains(t, text(t, m), "q leave")
	require.NotNil(t, press(m, "q"))
}

func TestAThousandServicesScroll(t *testing.T) {
	s := status.Snapshot{Namespace: "demo", State: status.Ready}
	for n := range 1000 {
		s.Services = append(s.Services,
			status.Service{Namespace: "demo", Service: fmt.Sprintf("web-%03d", n), State: "ready", Address: "127.1.1.1",
				Pods: 1})
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
	require.Contains(t, text(t, m), "›● web-016", "what is selected stays in sight")
}
