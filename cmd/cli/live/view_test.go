package live

import (
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/status"
)

// Every screen fits every terminal, however small.
func TestItFits(t *testing.T) {
	for width := 1; width < 130; width += 7 {
		for height := 1; height < 30; height += 4 {
			m := seen(snapshot(), width, height)
			m.journal.add([]said{{noon, "warning: " + strings.Repeat("long ", 40)}})
			for _, keys := range []string{"", "sss", "?", "xL", "Lf", "ll", "l", "ooy", "i", "x/we"} {
				press(m, keys)
				shown(t, m)
			}
			press(m, "enter", "enter")
			shown(t, m)
		}
	}
}

func TestHeader(t *testing.T) {
	s := snapshot()
	s.Session, s.State, s.Error = "shop", status.Starting, ""
	require.Contains(t, shown(t, seen(s, 100, 20))[0], "devtun shop  demo in kind")
	require.Contains(t, shown(t, seen(s, 100, 20))[0], "starting")
	s.State = status.Ending
	require.Contains(t, shown(t, seen(s, 100, 20))[0], "putting everything back")
	s.State = status.Ready
	s.Intercepts[0].State = status.Restoring
	require.Contains(t, shown(t, seen(s, 100, 20))[0], "putting it back", "it comes to its end by itself")
	s.Intercepts[0].State = status.Standing
	s.State, s.Error = status.Ready, "no rights"
	require.Contains(t, shown(t, seen(s, 100, 20))[0], "failed: no rights")
}

// TestHeaderIsGoodOnlyIfAllIs: something dead shows in its words and its colour.
func TestHeaderIsGoodOnlyIfAllIs(t *testing.T) {
	all := func(change func(*status.Snapshot)) *model {
		s := snapshot()
		s.Services, s.Intercepts[0].Routes = s.Services[3:], s.Intercepts[0].Routes[:1]
		change(&s)
		return seen(s, 100, 20)
	}
	for _, c := range []struct {
		change func(*status.Snapshot)
		state  string
		style  lipgloss.Style
	}{
		{func(s *status.Snapshot) {}, "ready", good},
		{func(s *status.Snapshot) { s.Services[0].State = "waiting" }, "1 waiting", middling},
		{func(s *status.Snapshot) { s.Services[0].State = "failed" }, "1 failed", bad},
		{func(s *status.Snapshot) { s.Services[0].State = "skipped" }, "ready", good},
		{func(s *status.Snapshot) { s.Intercepts[0].Routes[0].To = "origin" }, "1 intercept idle", middling},
		{func(s *status.Snapshot) { s.Intercepts[0].State = status.Failed }, "1 failed", bad},
		{func(s *status.Snapshot) { *s = snapshot() }, "1 failed, 1 waiting, 1 intercept idle", bad},
	} {
		state, style := all(c.change).state()
		require.Equal(t, c.state, state)
		require.Equal(t, c.style, style, state)
	}
	m := all(func(*status.Snapshot) {})
	m.journal.add([]said{{noon, "warning: the API server is away"}})
	state, style := m.state()
	require.Equal(t, "warning", state)
	require.Equal(t, middling, style)
}

// An intercept's rows say where the traffic of each port goes, in every state.
func TestInterceptRows(t *testing.T) {
	for _, c := range []struct{ state, to, reason, want string }{
		{status.Preparing, "origin", "", "○ m:80 preparing"},
		{status.Standing, "developer", "it listens", "● m:80 localhost:1"},
		{status.Standing, "both", "an agent is silent", "○ m:80 localhost:1, cluster an agent is silent"},
		{status.Standing, "origin", "nobody listens", "○ m:80 cluster nobody listens"},
		{status.Standing, "held", "nobody listens", "○ m:80 held nobody listens"},
		{status.Restoring, "origin", "", "○ m:80 restoring"},
		{status.Failed, "origin", "", "✗ m:80 cluster it could not be restored"},
	} {
		r := interceptRow(status.Intercept{State: c.state,
			Routes: []status.Route{{Services: []string{"m:80"}, Local: "localhost:1", To: c.to, Reason: c.reason}}}, 0, "")
		require.Equal(t, c.want, strings.TrimSpace(strings.Join([]string{r.mark, r.name, r.place, r.reason}, " ")))
	}
}

// TestRowWithoutService is of a workload that is replaced and that nothing comes to.
func TestRowWithoutService(t *testing.T) {
	rows := rowsOf(status.Snapshot{Namespace: "demo", Intercepts: []status.Intercept{
		{Name: "worker", Namespace: "demo", Workload: "deployment/worker", Mode: "replace", State: status.Standing},
	}})
	require.Len(t, rows, 1)
	require.Equal(t, []string{"●", "deployment/worker", "runs here", ""},
		[]string{rows[0].mark, rows[0].name, rows[0].place, rows[0].reason})
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
	var _ tea.Model = newModel(acts{}, false)
	view := seen(snapshot(), 80, 24).View()
	require.True(t, view.AltScreen)
	require.Len(t, strings.Split(view.Content, "\n"), 24)
}
