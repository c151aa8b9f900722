package wire

// Agent is what the agent's side of a link is told. Every field may be nil;
// none may wait.
type Agent struct {
	Port  func(port int, open bool) // a local process listens, or no longer
	Drain func()                    // wind up
}

// Message takes a control message; it is a Handler's.
func (a Agent) Message(m Message) {
	switch {
	case m.Type == typePort && a.Port != nil:
		a.Port(m.Port, m.Open)
	case m.Type == typeDrain && a.Drain != nil:
		a.Drain()
	}
}

// SendState tells the developer's side where a port's connections go.
func (l *Link) SendState(state State) { l.first.out.post(Message{Type: typeState, State: &state}) }

// SendCounters tells the developer's side of the agent's connections.
func (l *Link) SendCounters(c Counters) { l.first.out.post(Message{Type: typeCounters, Counters: &c}) }
