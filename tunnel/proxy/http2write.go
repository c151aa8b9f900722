package proxy

// wake has what waits written. Whoever adds something for a peer calls it.
func (p *h2Peer) wake() {
	if p.broken {
		p.out.discard()
		return
	}
	if p.writing || p.conn == nil || p.out.size() == 0 && len(p.ready) == 0 && !p.ending {
		return
	}
	p.writing = true
	p.c.work.Go(p.write)
}

// write writes until there is nothing to be written any more. So a connection that
// idles has no goroutine for it.
func (p *h2Peer) write() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	defer func() { p.writing = false }()
	for !p.broken {
		p.fill()
		if p.out.size() == 0 {
			break
		}
		frames, giveBack := p.out.take()
		p.c.mu.Unlock()
		_, err := p.conn.Write(frames)
		giveBack()
		p.c.mu.Lock()
		if err != nil {
			p.broken = true
			p.side.unwritable()
		}
	}
	if p.ending && !p.broken && !p.side.owes() {
		p.broken = true
		p.side.written()
	}
}

// fill takes from those who have something, a frame of each in turn.
func (p *h2Peer) fill() {
	for len(p.ready) > 0 && p.out.size() < h2OutLimit {
		h := p.ready[0]
		p.ready[0] = nil
		p.ready = p.ready[1:]
		if h.to != p {
			continue
		}
		h.ready = false
		if !h.waits() {
			continue
		}
		h.step()
		if h.waits() {
			h.ready = true
			p.ready = append(p.ready, h)
		}
	}
	if len(p.ready) == 0 {
		p.ready = nil
	}
}
