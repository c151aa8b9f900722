package live

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/status"
)

func TestFoot(t *testing.T) {
	m := seen(snapshot(), 80, 24)
	add := func(text string) { m.journal.add([]said{{noon, text}}) }
	require.NotContains(t, text(t, m), "───")
	for n := range 9 {
		add(fmt.Sprintf("note: number %d", n))
	}
	lines := shown(t, m)
	require.Equal(t, []string{"12:00:00 note: number 4", "12:00:00 note: number 8"}, []string{lines[18], lines[22]},
		"the last five")
	add("warning: this stays")
	for n := range 9 {
		add(fmt.Sprintf("note: later %d", n))
	}
	lines = shown(t, m)
	require.Equal(t, []string{"12:00:00 warning: this stays", "12:00:00 note: later 5"}, lines[18:20])
	for range keptLines {
		add("note: more")
	}
	require.Equal(t, "12:00:00 warning: this stays", shown(t, m)[18], "however much is said")
	require.Len(t, m.journal.lines, keptLines)
	add("recovered: it is over")
	require.NotContains(t, text(t, m), "this stays")
}

func TestFootOfAShortScreen(t *testing.T) {
	m := seen(snapshot(), 40, 11)
	m.journal.add([]said{{noon, "ready: 3 services"}, {noon, "warning: something that does not fit into this terminal"}})
	lines := shown(t, m)
	require.Equal(t, []string{"warning: something that does not fit", "into this terminal"}, lines[8:10])
}

// TestLogScrolls as less does.
func TestLogScrolls(t *testing.T) {
	m := seen(snapshot(), 80, 24)
	var all []said
	for n := range 100 {
		all = append(all, said{noon.Add(time.Duration(n) * time.Second), fmt.Sprintf("note: number %d", n)})
	}
	m.journal.add(all)
	press(m, "enter", "L")
	top := func() string { return shown(t, m)[1] }
	require.Contains(t, top(), "number 78", "the end first")
	press(m, "pgup")
	require.Contains(t, top(), "number 58")
	press(m, "k")
	require.Contains(t, top(), "number 57")
	m.journal.add([]said{{noon.Add(time.Hour), "note: news"}})
	require.Contains(t, top(), "number 57", "it stays where its reader is")
	press(m, "g")
	require.Contains(t, top(), "number 0")
	press(m, "pgdown")
	require.Contains(t, top(), "number 20")
	press(m, "G")
	require.Contains(t, text(t, m), "note: news")
	m.journal.add([]said{{noon.Add(time.Hour), "note: more news"}})
	require.Contains(t, text(t, m), "note: more news", "and the end is followed")
	press(m, "?", "x", "L")
	require.Contains(t, text(t, m), "WHY IT ENDED", "back to where it was opened")
}

func TestChanges(t *testing.T) {
	s := snapshot()
	require.Empty(t, changes(s, s, false))
	now := snapshot()
	now.Services[0].State, now.Services[0].Reason = "ready", ""
	now.Services[1].Reason = "the address is taken"
	now.Services[2].State, now.Services[2].Reason = "failed", "full"
	now.Services = append(now.Services[:3], status.Service{Namespace: "shop", Service: "cart", State: "ready"})
	now.Intercepts[0].Routes[0].To, now.Intercepts[0].Routes[0].Reason = "origin", "nothing listens on localhost:3000"
	require.Equal(t, []string{
		"ready alias", "waiting api (the address is taken)", "failed db-0.db.shop (full)", "ready cart.shop", "gone web",
		"middle:80 -> cluster (nothing listens on localhost:3000)",
	}, changes(s, now, false))
	require.Equal(t, []string{"ready alias", "waiting api (the address is taken)", "ready cart.shop", "gone web"},
		changes(s, now, true), "what the session prints itself is there already")
}

// TestChangesAreLogged among what was said meanwhile.
func TestChangesAreLogged(t *testing.T) {
	m := seen(snapshot(), 80, 24)
	now := snapshot()
	now.Services = now.Services[:3]
	m.Update(frame{noon.Add(2 * time.Second), now, []said{{noon.Add(time.Second), "note: before"}}})
	press(m, "L")
	require.Equal(t, []string{"12:00:01 note: before", "12:00:02 gone web"}, shown(t, m)[1:3])
}
