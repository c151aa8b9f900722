package wire

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

const (
	// keptConnections is of how many of a link's connections, the latest, it is known what
	// was taken.
	keptConnections = 64

	// mostBeyond bounds how many streams are known beyond the first that was not taken.
	mostBeyond = 1024
)

// Place is where the developer's end has opened a stream.
type Place struct {
	Link       string `json:"link"`       // Hello.Link
	Connection int    `json:"connection"` // of the link: 0, or that of the added one's control stream
	Stream     uint32 `json:"stream"`     // yamux's identifier
}

// Place is where a stream of the developer's end was opened.
func (st *Stream) Place() Place { return Place{st.conn.link.name, st.conn.number, st.id} }

// Openings knows which streams of a link its agent's end has taken, also when the link is
// lost: a stream's opening and what follows it leave together, so that who opened it may
// never hear whether it was.
type Openings struct {
	mu     sync.Mutex
	latest int                   // connection
	of     map[int]*connOpenings // by connection
}

// connOpenings are a connection's. As they arrive nearly in order, little must be kept.
type connOpenings struct {
	sealed  bool            // no more are taken
	through uint32          // all up to this one have been
	beyond  map[uint32]bool // others
}

// connection finds what is known of one; nil if that is too long ago. Call it with mu held.
func (o *Openings) connection(number int) *connOpenings {
	o.latest = max(o.latest, number)
	if number <= o.latest-keptConnections {
		return nil
	}
	if o.of == nil {
		o.of = make(map[int]*connOpenings)
	}
	if o.of[number] == nil {
		o.of[number] = &connOpenings{through: controlStream, beyond: make(map[uint32]bool)}
		for old := range o.of {
			if old <= o.latest-keptConnections {
				delete(o.of, old)
			}
		}
	}
	return o.of[number]
}

// take notes that a stream is taken, unless somebody was told that it was not.
func (o *Openings) take(connection int, stream uint32) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.connection(connection)
	if c == nil || c.sealed {
		return false
	}
	if stream == c.through+2 { // the developer's are odd
		c.through = stream
	} else {
		c.beyond[stream] = true
	}
	if len(c.beyond) > mostBeyond { // a gap counts as taken
		c.through = slices.Min(slices.Collect(maps.Keys(c.beyond))) - 2
	}
	for len(c.beyond) > 0 && c.beyond[c.through+2] {
		c.through += 2
		delete(c.beyond, c.through)
	}
	return true
}

// Took reports whether a stream was taken. If not, it never is, nor is any other of its
// connection from then on. Nothing is known of a connection that is too long ago.
func (o *Openings) Took(at Place) (took, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.connection(at.Connection)
	if c == nil {
		return false, false
	}
	c.sealed = true
	return at.Stream <= c.through || c.beyond[at.Stream], true
}

// Openings knows which streams this end has taken.
func (l *Link) Openings() *Openings { return &l.openings }

// took is the answer to an opening of KindTook.
type took struct {
	Took bool `json:"took"`
}

// Took asks the agent whether it has taken a stream that was lost, by this link or one before
// to the same agent. If it has not, it never will. The error is ErrUnknown if the agent does
// not know.
func (l *Link) Took(ctx context.Context, at Place) (bool, error) {
	stream, err := l.Open(ctx, Opening{Kind: KindTook, Place: &at})
	if err != nil {
		return false, err
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, stream.Abort)()
	stream.CloseWrite()
	var answer took
	err = readFrame(stream, &answer)
	var refused *ResetError
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case errors.As(err, &refused):
		return false, fmt.Errorf("%w: %s", ErrUnknown, refused.Why)
	case err != nil:
		return false, fmt.Errorf("ask what was taken: %w", err)
	}
	return answer.Took, nil
}

// ErrUnknown is that an agent does not know what became of a stream.
var ErrUnknown = errors.New("the agent does not know")

// SendTook answers a stream of KindTook.
func SendTook(stream *Stream, yes bool) error {
	if err := writeFrame(stream, "", took{yes}); err != nil {
		return fmt.Errorf("say what was taken: %w", err)
	}
	return stream.CloseWrite()
}
