package agent

import "bytes"

// lastOne is the header of a response after which the server closes.
const lastOne = "Connection: close\r\n"

// announceEnd makes the response that begins with p the last of its connection,
// or reports that it cannot: what begins is no final HTTP/1.1 response, or not
// the whole first line.
func announceEnd(p []byte) (announced []byte, ok bool) {
	const version = "HTTP/1.1 "
	end := bytes.IndexByte(p, '\n')
	if end < 0 || !bytes.HasPrefix(p, []byte(version)) || len(p) == len(version) || p[len(version)] == '1' {
		return p, false
	}
	announced = make([]byte, 0, len(p)+len(lastOne))
	announced = append(append(announced, p[:end+1]...), lastOne...)
	return append(announced, p[end+1:]...), true
}
