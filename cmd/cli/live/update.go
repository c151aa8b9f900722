package live

import (
	"slices"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/devtun/devtun/cmd/cli/status"
)

// frame is a snapshot, when it came, and what was said since the last one.
type frame struct {
	at time.Time
	status.Snapshot
	said []said
}

// page is what the screen shows.
type page int

const (
	overview page = iota
	details       // of the selected row
	requests      // of it
	podLogs       // of it
	log
	help
)

// screen is a page, and what of it is seen.
type screen struct {
	page  page
	pager pager
}

// model is all that the screen depends on.
type model struct {
	acts          acts
	told          bool // what the session prints is in its frames
	width, height int

	now     frame
	known   bool // there was a frame
	journal journal
	rates   map[string]*rate
	all     []row
	rows    []row // those that the filter lets through, as sorted, but for those folded
	folded  int   // services that are not forwarded, and not shown

	screen
	under    []screen // what help and log cover, the latest last
	selected string   // a row's key
	last     row      // the selected one, as it was in the snapshot before
	first    int      // line of the services on the screen
	filter   string
	editing  bool   // of the filter
	restore  string // the filter before that
	by       int    // of orders
	reverse  bool
	unfolded bool
	ending   bool   // the user has asked for it
	note     string // what the last key has done, or that it does nothing
	notedAt  time.Time
	tail     tail // of the pods' logs
}

// noteFor is how long it is said what a key has done, unless another one is pressed.
const noteFor = 5 * time.Second

// say says what a key has done, or that it does nothing.
func (m *model) say(note string) { m.note, m.notedAt = note, m.now.at }

func newModel(acts acts, told bool) *model {
	return &model{acts: acts, told: told, width: 80, height: 24, rates: make(map[string]*rate)}
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
	case noted:
		m.say(string(msg))
	case podLines:
		m.tail.add(msg)
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
	news := next.said
	if m.known {
		for _, text := range changes(m.now.Snapshot, next.Snapshot, m.told) {
			news = append(news, said{next.at, text})
		}
	}
	m.journal.add(news)
	if r, is := m.row(); is {
		m.last = r
	}
	if next.at.Sub(m.notedAt) > noteFor {
		m.note = ""
	}
	m.now, m.known = next, true
	m.all = rowsOf(next.Snapshot)
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
	if r, is := m.row(); is && m.page == podLogs {
		m.tail.follow(r)
	}
}

// arrange chooses and sorts the rows anew. Who filters looks for those not forwarded, too.
func (m *model) arrange() {
	m.rows, m.folded = arrange(m.all, m.filter, m.by, m.reverse), 0
	if !m.unfolded && m.filter == "" {
		for n := len(m.rows) - 1; n >= 0 && m.rows[n].left; n-- {
			m.rows, m.folded = m.rows[:n], m.folded+1
		}
	}
	if m.at() >= 0 || len(m.rows) == 0 || m.page != overview {
		return
	}
	next := slices.IndexFunc(m.rows, m.last.same) // it was intercepted, or given back
	if next < 0 {
		next = min(max(m.first, 0), len(m.rows)-1)
	}
	m.selected = m.rows[next].key
}

// at is the index of the selected row; -1 if there is none.
func (m *model) at() int {
	return slices.IndexFunc(m.rows, func(r row) bool { return r.key == m.selected })
}

// row is the selected one, also if the filter lets it through no more; false if it is gone.
func (m *model) row() (row, bool) {
	at := slices.IndexFunc(m.all, func(r row) bool { return r.key == m.selected })
	if at < 0 {
		return row{}, false
	}
	return m.all[at], true
}

func (m *model) setFilter(text string) {
	m.filter = text
	m.arrange()
}

// end ends the session, or only the view of one.
func (m *model) end() tea.Cmd {
	if m.acts.quit == nil {
		return tea.Quit
	}
	if !m.ending {
		m.ending = true
		m.page, m.under, m.editing = overview, nil, false
		m.acts.quit()
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
