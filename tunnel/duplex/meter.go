package duplex

import "sync/atomic"

// Traffic counts payload bytes, as seen from the local side.
type Traffic struct{ Sent, Received int64 }

// Meter counts bytes while they are copied. Connections may share one, and it may
// be read at any time. The zero value has counted nothing.
type Meter struct{ sent, received atomic.Int64 }

// Traffic is what has been counted so far.
func (m *Meter) Traffic() Traffic {
	return Traffic{Sent: m.sent.Load(), Received: m.received.Load()}
}

// Add counts what was carried otherwise than by Copy.
func (m *Meter) Add(more Traffic) {
	m.sent.Add(more.Sent)
	m.received.Add(more.Received)
}

// TakeBack forgets traffic that was in vain, and is counted again when it is
// repeated.
func (m *Meter) TakeBack(vain Traffic) {
	m.Add(Traffic{Sent: -vain.Sent, Received: -vain.Received})
}
