package mux

// PingsSent is how many pings were sent.
func (c *Connection) PingsSent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pingsSent
}
