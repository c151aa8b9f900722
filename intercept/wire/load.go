package wire

// Streams is how many streams the link has now, those of both sides.
func (s *Link) Streams() int { return int(s.count.Load()) }
