package live

// pager is which lines of a page stand on the screen; it moves as less does.
type pager struct {
	top int  // the first one
	end bool // the last ones, those that come among them
}

// window is which of n lines are in a window of some height.
func (p *pager) window(n, height int) (first, last int) {
	highest := max(0, n-max(0, height))
	if p.end || p.top >= highest {
		p.top, p.end = highest, p.end || n > height
	}
	p.top = max(0, p.top)
	return p.top, min(n, p.top+max(0, height))
}

// move moves by so many lines.
func (p *pager) move(by int) { p.top, p.end = p.top+by, false }

// scroll is which of n lines a window of some height shows, so that those from at to
// until are in it, if there is room for them. from is where it began before.
func scroll(n, height, at, until, from int) (first, last int) {
	height = max(height, 0)
	if until >= from+height {
		from = until - height + 1
	}
	if at >= 0 && at < from {
		from = at
	}
	from = max(0, min(from, n-height))
	return from, min(n, from+height)
}

// step is by how many lines a key moves, on a screen that has so many.
func step(name string, screen int) (by int, ok bool) {
	switch name {
	case "up", "k", "ctrl+p":
		return -1, true
	case "down", "j", "ctrl+n":
		return 1, true
	case "pgup", "b", "ctrl+b":
		return -screen, true
	case "pgdown", "space", "ctrl+f":
		return screen, true
	case "home", "g":
		return -1 << 30, true
	case "end", "G":
		return 1 << 30, true
	}
	return 0, false
}
