package wire

const (
	// manyBrief is how many streams end between two ticks where they come and go quickly, and
	// stayBrief for how many ticks it is taken to go on like that.
	manyBrief = 10
	stayBrief = 100

	// together is how many of these share one connection before another does as well: what
	// they say leaves with fewer writes, which is where the processor's time goes. Each
	// alone says little.
	together = 64
)

// Streams is how many streams the link has now, those of both sides.
func (l *Link) Streams() int { return int(l.count.Load()) }

// Load orders links by how long a new stream would wait, and by what it would cost.
func (l *Link) Load() int {
	load := l.first.load()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.added {
		load += c.load()
	}
	return load
}

// load orders connections likewise.
func (c *connection) load() int {
	streams := int(c.count.Load())
	if c.brief.Load() > 0 {
		streams /= together
	}
	return int(c.bulk.Load())<<16 + streams
}

// measure finds out what the streams were like since the last tick. It is for each tick.
func (c *connection) measure() {
	c.mu.Lock()
	defer c.mu.Unlock()
	bulk := 0
	for _, stream := range c.streams {
		if stream.moved.Swap(0) >= bulkMark {
			bulk++
		}
	}
	c.bulk.Store(int32(bulk))
	if c.gone.Swap(0) >= manyBrief {
		c.brief.Store(stayBrief)
	} else if c.brief.Load() > 0 {
		c.brief.Add(-1)
	}
}
