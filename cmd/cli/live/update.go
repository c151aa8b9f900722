package live

import (
	"slices"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/devtun/devtun/cmd/cli/status"
)

// frame is a snapshot, when it came, and what had been printed by then.
type frame struct {
	at time.Time
	status.Snapshot
	lines []line
}

// page is what the screen shows.
type page int

const (
	overview    page = iota
	connections      // of the selected row
	help
)

// model is all that the screen depends on.
type model struct {
	quit          func() // nil: the session goes on
	width, height int

	now   frame
	known bool // there was a frame
	rates map[string]*rate
	all   []row
	rows  []row // those that the filter lets through, as sorted

	page     page
	before   page   // the one under help
	selected string // a row's key
	first    int    // row on the screen
	line     int    // of the connections, that stands first
	filter   string
	editing  bool   // of the filter
	restore  string // the filter before that
	by       int    // of orders
	reverse  bool
	ending   bool // the user has asked for it
}

func newModel(quit func()) *model {
	return &model{quit: quit, width: 80, height: 24, rates: make(map[string]*rate)}
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd { return nil }

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case frame:
		m.take(msg)
	case tea.PasteMsg:
		if m.editing {
			m.setFilter(m.filter + msg.Content)
		}
	case *turn:
		return m, tea.Exec(msg, msg.over)
	case tea.KeyPressMsg:
		return m, m.key(msg)
	}
	return m, nil
}

// take shows a newer frame.
func (m *model) take(next frame) {
	m.now, m.known = next, true
	m.all = rowsOf(next.Snapshot, next.at)
	alive := make(map[string]*rate)
	for i := range m.all {
		r := &m.all[i]
		now := m.rates[r.key]
		if now == nil {
			now = &rate{}
		}
		now.add(next.at, r.use)
		alive[r.key], r.rate = now, *now
	}
	m.rates = alive
	m.arrange()
}

// arrange chooses and sorts the rows anew.
func (m *model) arrange() {
	m.rows = arrange(m.all, m.filter, m.by, m.reverse)
	if m.at() < 0 && len(m.rows) > 0 && m.page == overview {
		m.selected = m.rows[min(max(m.first, 0), len(m.rows)-1)].key
	}
}

// at is the index of the selected row; -1 if there is none.
func (m *model) at() int {
	return slices.IndexFunc(m.rows, func(r row) bool { return r.key == m.selected })
}

func (m *model) setFilter(text string) {
	m.filter = text
	m.arrange()
}

// key does what a key is for.
func (m *model) key(press tea.KeyPressMsg) tea.Cmd {
	name := press.String()
	if name == "ctrl+c" {
		if m.ending {
			m.quit()
		}
		return m.end()
	}
	if m.editing {
		m.edit(name, press.Text)
		return nil
	}
	switch {
	case name == "q":
		return m.end()
	case m.page == help:
		m.page = m.before
	case name == "?" || name == "h" || name == "f1":
		m.before, m.page = m.page, help
	case m.page == connections:
		m.keyOfConnections(name)
	default:
		m.keyOfOverview(name)
	}
	return nil
}

// end ends the session, or only the view of one.
func (m *model) end() tea.Cmd {
	if m.quit == nil {
		return tea.Quit
	}
	if !m.ending {
		m.ending = true
		m.page, m.editing = overview, false
		m.quit()
	}
	return nil
}

// edit changes the filter, as it is typed.
func (m *model) edit(name, text string) {
	switch name {
	case "enter":
		m.editing = false
	case "esc":
		m.editing = false
		m.setFilter(m.restore)
	case "backspace":
		if _, last := utf8.DecodeLastRuneInString(m.filter); m.filter != "" {
			m.setFilter(m.filter[:len(m.filter)-last])
		}
	case "ctrl+u":
		m.setFilter("")
	default:
		m.setFilter(m.filter + text)
	}
}

func (m *model) keyOfOverview(name string) {
	switch name {
	case "/":
		m.editing, m.restore = true, m.filter
	case "esc":
		m.setFilter("")
	case "s":
		m.by, m.reverse = (m.by+1)%len(orders), false
		m.arrange()
	case "r", "S":
		m.reverse = !m.reverse
		m.arrange()
	case "enter", "right", "l":
		if m.at() >= 0 {
			m.page, m.line = connections, 0
		}
	default:
		if by, ok := m.step(name); ok {
			m.move(by)
		}
	}
}

func (m *model) keyOfConnections(name string) {
	switch name {
	case "esc", "enter", "left", "backspace":
		m.page = overview
		m.arrange()
	default:
		if by, ok := m.step(name); ok {
			m.line = max(0, m.line+by) // view.go knows the other end
		}
	}
}

// step is by how many lines a key moves.
func (m *model) step(name string) (by int, ok bool) {
	screen := max(1, m.height-8)
	switch name {
	case "up", "k", "ctrl+p":
		return -1, true
	case "down", "j", "ctrl+n":
		return 1, true
	case "pgup", "ctrl+b":
		return -screen, true
	case "pgdown", "ctrl+f", "space":
		return screen, true
	case "home", "g":
		return -1 << 30, true
	case "end", "G":
		return 1 << 30, true
	}
	return 0, false
}

// move selects another row.
func (m *model) move(by int) {
	if len(m.rows) > 0 {
		m.selected = m.rows[max(0, min(m.at()+by, len(m.rows)-1))].key
	}
}
