package proxy

// seen is who looks on at one request or connection; its observation may be nobody's. It is
// told the end once.
type seen struct {
	Observation
	ended bool
}

// begin tells the observer, if there is one.
func (c *Conn) begin(r *Request, to Destination) *seen {
	if c.options.Observer == nil {
		return &seen{}
	}
	return &seen{Observation: c.options.Observer.Begin(r, to)}
}

func (s *seen) end(err error) {
	if s.Observation != nil && !s.ended {
		s.ended = true
		s.End(err)
	}
}

// watch has what passes through up be looked on at.
func (s *seen) watch(up Upstream) Upstream {
	if s.Observation == nil {
		return up
	}
	return watched{up, s.Observation}
}

// request and answer are what a body's bytes are told to; nil is nobody.
func (s *seen) request() func([]byte) {
	if s.Observation == nil {
		return nil
	}
	return s.RequestBody
}

func (s *seen) answer() func([]byte) {
	if s.Observation == nil {
		return nil
	}
	return s.AnswerBody
}
