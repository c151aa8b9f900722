package wire

import "errors"

// Add has the link use one more connection to the same far side, which adds the other end of
// it. The link owns it from here on; one that has ended closes it and fails.
func (s *Link) Add(conn Transport) error {
	conn.Abort()
	return errors.Join(errors.New("add connection: links have one connection"), conn.Close())
}

// Wants holds a token when all added connections carry bulk, and there may be another.
func (s *Link) Wants() <-chan struct{} { return nil }
