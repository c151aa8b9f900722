package live

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// key does what a key is for, and says so if that is nothing.
func (m *model) key(press tea.KeyPressMsg) tea.Cmd {
	name := press.String()
	m.note = ""
	switch {
	case name == "ctrl+c":
		if m.ending {
			m.acts.quit()
		}
		return m.end()
	case m.editing:
		m.edit(name, press.Text)
		return nil
	case name == "q":
		return m.end()
	}
	if m.page != overview {
		if by, ok := step(name, max(1, m.height-4)); ok {
			m.pager.move(by)
			return nil
		}
	}
	if cmd, done := m.keyOfPage(name); done {
		return cmd
	}
	if cmd, done := m.keyOfRow(name); done {
		return cmd
	}
	switch name {
	case "?", "h", "f1":
		m.cover(help, pager{})
	case "L", "tab":
		m.cover(log, pager{end: true})
	default:
		m.say(name + " does nothing here; ? explains the keys")
	}
	return nil
}

// cover shows a page over the one that is shown now, until a key goes back.
func (m *model) cover(by page, from pager) {
	m.under = append(m.under, m.screen)
	m.screen = screen{by, from}
}

// keyOfPage is of the keys that mean something else on each page.
func (m *model) keyOfPage(name string) (cmd tea.Cmd, done bool) {
	back := name == "esc" || name == "left" || name == "backspace" || name == "enter"
	switch m.page {
	case overview:
		return nil, m.keyOfOverview(name)
	case help, log:
		if m.page == log && !back && name != "L" && name != "tab" {
			return nil, false
		}
		last := len(m.under) - 1
		m.screen, m.under = m.under[last], m.under[:last]
		return nil, true // from help with any key
	case podLogs, requests:
		if back {
			m.tail.stop()
		}
	}
	if back {
		m.page = overview
		m.arrange()
	}
	return nil, back
}

func (m *model) keyOfOverview(name string) (done bool) {
	switch name {
	case "/":
		m.editing, m.restore = true, m.filter
	case "esc":
		m.setFilter("")
	case "s":
		m.by, m.reverse = (m.by+1)%len(orders), false
		m.sorted()
	case "S":
		m.reverse = !m.reverse
		m.sorted()
	case "f":
		m.unfolded = !m.unfolded
		m.arrange()
		if !m.unfolded && m.folded == 0 {
			m.say("every service is forwarded")
		}
	case "enter", "right":
		if m.at() >= 0 {
			m.page, m.pager = details, pager{}
		}
	default:
		by, ok := step(name, max(1, m.height-8))
		if ok && len(m.rows) > 0 {
			m.selected = m.rows[max(0, min(m.at()+by, len(m.rows)-1))].key
		}
		return ok
	}
	return true
}

// sorted says how it is sorted now: not every column is always there.
func (m *model) sorted() {
	m.arrange()
	note := "sorted by " + strings.ToLower(orders[m.by].column)
	if m.reverse {
		note += ", reversed"
	}
	m.say(note)
}

// keyOfRow is of the keys that are about the selected row.
func (m *model) keyOfRow(name string) (cmd tea.Cmd, done bool) {
	if name != "o" && name != "y" && name != "l" && name != "i" {
		return nil, false
	}
	r, is := m.row()
	switch {
	case !is:
		m.say("nothing is selected")
	case name == "o":
		return m.open(r), true
	case name == "y":
		return m.copy(r), true
	case name == "l":
		m.look(r)
	case name == "i":
		m.toggle(r)
	}
	return nil, true
}

// open has the row's URL opened.
func (m *model) open(r row) tea.Cmd {
	if len(r.addresses) == 0 || !isURL(r.addresses[0]) {
		m.say(r.name + " has no URL to open")
		return nil
	}
	url := r.addresses[0]
	m.say("opening " + url)
	return func() tea.Msg {
		if err := m.acts.open(url); err != nil {
			return noted(fmt.Sprintf("%s was not opened: %v", url, err))
		}
		return noted("opened " + url)
	}
}

// copy puts what is typed to reach the row into the clipboard of the terminal.
func (m *model) copy(r row) tea.Cmd {
	if len(r.addresses) == 0 {
		m.say(r.name + " has no URL to copy")
		return nil
	}
	m.say("copied " + r.addresses[0])
	return tea.SetClipboard(r.addresses[0])
}

// noted is what a key has done.
type noted string

// toggle intercepts the row's service, or gives it back.
func (m *model) toggle(r row) {
	switch {
	case m.acts.toggle == nil && r.intercept:
		m.say("i does nothing here: the session's own table gives it back")
	case m.acts.toggle == nil:
		m.say("i does nothing here: 'devtun intercept " + r.services[0] + "' intercepts it")
	case m.ending:
		m.say("the session is ending")
	default:
		m.say(m.acts.toggle(r.intercept, r.namespace, r.services[0]))
	}
}
