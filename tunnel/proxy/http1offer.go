package proxy

import (
	"context"
	"slices"
)

// offer sends a request where it is to go. An error says that nobody takes it.
func (h *http1) offer(ctx context.Context, x *exchange) error {
	if x.seen != nil {
		x.seen.end(errRepeated)
	}
	h.mu.Lock()
	refused := slices.Clone(h.refused)
	h.mu.Unlock()
	route, err := h.conn.route(ctx, x.request, refused, h.keepAhead)
	if err != nil {
		return err
	}
	u := h.find(route.To)
	if u == nil {
		up, err := route.To.Dial(ctx)
		if err != nil {
			h.refuse(route.To)
			return ctx.Err()
		}
		u = &upstream{Upstream: up, to: route.To}
		h.listenTo(u)
	}
	x.seen = h.conn.begin(x.request, route.To)
	x.mark = route.Mark
	if h.give(u, x) {
		h.sendHead(x, u, route.Carry)
	}
	return nil
}

// sendHead sends the head, what was sent of the body to those that have not taken it, and
// what is there of the rest.
func (h *http1) sendHead(x *exchange, u *upstream, carried []Carried) {
	out := x.request.Raw
	if !x.request.Whole() {
		out = carry(x.request, carried)
	}
	if told := x.seen.request(); told != nil && len(x.kept) > 0 {
		before := bodyOf(x.head, false)
		if x.request.Whole() {
			before = body{step: endless}
		}
		_, _ = before.next(x.kept, told)
	}
	out = append(out[:len(out):len(out)], x.kept...)
	if p := h.in.bytes(); !x.request.Whole() && len(x.kept) == 0 && len(p) > 0 && !x.body.over() {
		p = p[:min(len(p), pieceSize)]
		n := h.piece(x, p, x.seen.request())
		h.keep(x, p[:n], isTaken(u))
		out = append(out, p[:n]...)
		h.in.take(n)
	}
	if x.body.over() {
		h.complete(x)
	}
	if len(out) > 0 {
		h.write(x, u, out)
	}
}

// keepAhead keeps what the client says while it is held.
func (h *http1) keepAhead() (room bool, err error) {
	err = h.in.fill()
	return !h.in.full(), err
}
