package proxy

// exchange is a request and its answer.
type exchange struct {
	request *Request
	head    head
	body    body   // of the request
	kept    []byte // of the body, until somebody has taken it
	seen    *seen

	// Under the machine's mu:
	mark      []Field
	sent      bool // to its end
	cut       bool // no more of it can be sent
	answered  bool // to its end
	continued bool // it was told to continue
	announced bool // the client was told that this is the last answer
	last      bool // nothing is asked after it
	raw       bool // it has no end of its own
	repeated  bool
}

// mayRepeat reports that asking twice does no harm (RFC 9110, section 9.2.2).
func (x *exchange) mayRepeat() bool {
	safe := x.request.Method == "GET" || x.request.Method == "HEAD" ||
		x.request.Method == "OPTIONS" || x.request.Method == "TRACE"
	return safe && !x.head.chunked && x.head.length <= 0 && !x.raw && !x.repeated
}

// keepsClient reports that a destination's end is not its clients'.
func keepsClient(d Destination) bool {
	k, ok := d.(interface{ KeepClient() bool })
	return ok && k.KeepClient()
}
