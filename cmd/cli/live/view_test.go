package live

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/status"
)

func TestNarrowAndShort(t *testing.T) {
	m := seen(snapshot(), 40, 10)
	m.now.lines = []line{{at: noon, text: "ready: 3 services"},
		{at: noon, text: "warning: something that does not fit into this terminal at all"}}
	require.Equal(t, []string{
		"devtun  demo in kind        1h00m  ready",
		"   INTERCEPTED   TRAFFIC           AGENT",
		"›● middle:80     → localhost:3000      2",
		"   SERVICE▲       PODS   OPEN   RECV/s",
		" ○ api               0      1        -",
		" ✗ db-0.db.shop      0      0        -",
		"────────────────────────────────────────",
		"warning: something that does not fit",
		"into this terminal at all",
		"? help  q quit  / filter  s sort",
	}, screen(t, m))
}

// Every screen fits every terminal, however small.
func TestItFits(t *testing.T) {
	for width := 1; width < 130; width += 7 {
		for height := 1; height < 30; height += 4 {
			m := seen(snapshot(), width, height)
			m.now.lines = []line{{at: noon, text: "warning: " + strings.Repeat("long ", 40)}}
			for _, keys := range []string{"", "sss", "?", "x/we"} {
				press(m, keys)
				screen(t, m)
			}
			press(m, "enter", "enter")
			screen(t, m)
		}
	}
}

// TestRequests are above the connections on the page of a row.
func TestRequests(t *testing.T) {
	s := snapshot()
	s.Intercepts[0].Requests = []status.Request{
		{Ended: noon.Add(-2 * time.Second), Caller: "front-5f9c", What: "GET /orders", Outcome: "200", Seconds: 0.012,
			By: "ann@laptop"},
		{Ended: noon.Add(-time.Minute), Caller: "front-5f9c", What: "/shop.Orders/Get", Outcome: "NOT_FOUND",
			By: "ann@laptop"},
	}
	for _, size := range [][2]int{{100, 24}, {100, 14}, {40, 24}} {
		m := seen(s, size[0], size[1])
		press(m, "x/middle", "enter", "enter")
		text := strings.Join(screen(t, m), "\n")
		require.Contains(t, text, "GET /orders")
		require.Contains(t, text, "200")
		if size[1] == 24 {
			require.Contains(t, text, "NOT_FOUND")
			require.Contains(t, text, "no connection has ended yet")
		}
	}
}

func TestAtEightyColumnsAllThatMattersIsThere(t *testing.T) {
	s := snapshot()
	s.Services[3].Service = "a-service-with-a-long-name"
	line := ""
	for _, l := range screen(t, seen(s, 80, 24)) {
		if strings.Contains(l, "SERVICE") {
			line = l
		}
	}
	for _, column := range []string{"SERVICE", "ADDRESS", "PODS", "OPEN", "SENT/s", "RECV/s", "LAST ERROR"} {
		require.Contains(t, line, column)
	}
}

func TestHeader(t *testing.T) {
	s := snapshot()
	s.Session, s.State, s.Error = "shop", status.Starting, ""
	require.Contains(t, screen(t, seen(s, 100, 20))[0], "devtun shop  demo in kind")
	require.Contains(t, screen(t, seen(s, 100, 20))[0], "starting")
	s.State = status.Ending
	require.Contains(t, screen(t, seen(s, 100, 20))[0], "putting everything back")
	s.State = status.Ready
	s.Intercepts[0].State = status.Restoring
	require.Contains(t, screen(t, seen(s, 100, 20))[0], "putting everything back", "it comes to its end by itself")
	s.Intercepts[0].State = status.Standing
	s.State, s.Error = status.Ready, "no rights"
	require.Contains(t, screen(t, seen(s, 100, 20))[0], "failed: no rights")
}

func TestMessages(t *testing.T) {
	m := seen(snapshot(), 80, 24)
	for n := range 9 {
		m.now.lines = append(m.now.lines, line{at: noon, text: fmt.Sprintf("note: number %d", n)})
	}
	lines := screen(t, m)
	require.Equal(t, []string{"12:00:00 note: number 4", "12:00:00 note: number 8"}, []string{lines[18], lines[22]},
		"the last five")
	m.now.lines[0].text = "warning: this stays"
	lines = screen(t, m)
	require.Equal(t, []string{"12:00:00 warning: this stays", "12:00:00 note: number 5"}, lines[18:20])
	m.now.lines = append(m.now.lines, line{at: noon, text: "recovered: it is over"})
	require.NotContains(t, text(t, m), "this stays")
	m.now.lines = nil
	require.NotContains(t, text(t, m), "───")
}

// An intercept's rows say where the traffic of each port goes, in every state.
func TestInterceptRows(t *testing.T) {
	for _, c := range []struct{ state, to, reason, want string }{
		{status.Preparing, "origin", "", "○ m:80 preparing"},
		{status.Standing, "developer", "it listens", "● m:80 → localhost:1"},
		{status.Standing, "both", "an agent is silent", "○ m:80 → origin, localhost:1 an agent is silent"},
		{status.Standing, "origin", "nobody listens", "○ m:80 → the origin nobody listens"},
		{status.Standing, "held", "nobody listens", "○ m:80 held nobody listens"},
		{status.Restoring, "origin", "", "○ m:80 restoring"},
		{status.Failed, "origin", "", "✗ m:80 → the origin it could not be restored"},
	} {
		r := interceptRow(status.Intercept{State: c.state,
			Routes: []status.Route{{Services: []string{"m:80"}, Local: "localhost:1", To: c.to, Reason: c.reason}}}, 0, "")
		require.Equal(t, c.want, strings.TrimSpace(strings.Join([]string{r.mark, r.name, r.where, r.reason}, " ")))
	}
}

// TestRowWithoutService is of a workload that is replaced and that nothing comes to.
func TestRowWithoutService(t *testing.T) {
	rows := rowsOf(status.Snapshot{Namespace: "demo", Intercepts: []status.Intercept{
		{Name: "worker", Namespace: "demo", Workload: "deployment/worker", Mode: "replace", State: status.Standing},
	}}, noon)
	require.Len(t, rows, 1)
	require.Equal(t, []string{"●", "deployment/worker", "runs here", "-", ""},
		[]string{rows[0].mark, rows[0].name, rows[0].where, rows[0].ports, rows[0].reason})
}

func TestWordsForNumbers(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 9_949: "9.9 kB", 9_960: "10 kB", 999_600: "1.0 MB",
		12_345_678: "12 MB", 5e12: "5.0 TB",
	} {
		require.Equal(t, want, size(n))
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m", 90 * time.Minute: "1h30m", 72 * time.Hour: "3d",
	} {
		require.Equal(t, want, ago(d))
	}
	for n, want := range map[float64]string{0.0004: "0ms", 0.9996: "1.0s", 59.94: "59.9s", 61: "1m"} {
		require.Equal(t, want, took(n))
	}
}

func TestViewTakesTheWholeScreen(t *testing.T) {
	var _ tea.Model = newModel(nil)
	view := seen(snapshot(), 80, 24).View()
	require.True(t, view.AltScreen)
	require.Len(t, strings.Split(view.Content, "\n"), 24)
}
