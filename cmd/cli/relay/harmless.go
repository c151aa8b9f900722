package relay

import "bytes"

// harmless reports that what a client has said first may be said once more, though the endpoint
// may have heard it already: a whole request that changes nothing (RFC 9110, sections 9.2.1
// and 9.2.2), or the beginning of TLS (RFC 8446, section 4.1.2) without early data.
func harmless(said []byte) bool {
	switch {
	case len(said) < tlsHeader:
		return false
	case said[0] == tlsHandshake:
		length := int(said[3])<<8 | int(said[4])
		return len(said) == tlsHeader+length && length > 0 && said[tlsHeader] == tlsClientHello
	}
	for _, method := range [][]byte{[]byte("GET "), []byte("HEAD "), []byte("OPTIONS ")} {
		if bytes.HasPrefix(said, method) {
			return bytes.Index(said, endOfHead) == len(said)-len(endOfHead)
		}
	}
	return false
}

// These are of RFC 9112, section 2.1, and of RFC 8446, sections 5.1 and 4.
var endOfHead = []byte("\r\n\r\n")

const (
	tlsHeader      = 5 // bytes: type, version (2), length (2)
	tlsHandshake   = 22
	tlsClientHello = 1
)
