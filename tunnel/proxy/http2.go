package proxy

import "context"

// serveHTTP2 carries an HTTP/2 connection.
func (c *Conn) serveHTTP2(ctx context.Context, in *input, first *firstUpstream) error {
	return c.serveWhole(ctx, in, first, HTTP2, nil)
}
