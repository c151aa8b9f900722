package podproxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Protocol is the name under which an upgrade is asked for (RFC 9110, section 7.8).
const Protocol = "devtun"

const (
	switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + Protocol + "\r\n\r\n"
	required  = "HTTP/1.1 426 Upgrade Required\r\nConnection: close, Upgrade\r\nUpgrade: " + Protocol +
		"\r\nContent-Length: 0\r\n\r\n"
)

// errNoUpgrade means that something has asked for something else.
var errNoUpgrade = errors.New("no upgrade to " + Protocol + " was asked for")

// upgrade reads an HTTP request, and answers that from here on it is another protocol.
func upgrade(conn *bounded) error {
	request, err := http.ReadRequest(conn.buffer)
	if err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	if request.Method != http.MethodGet || !strings.EqualFold(request.Header.Get("Upgrade"), Protocol) {
		_, _ = io.WriteString(conn, required) // a courtesy
		return errNoUpgrade
	}
	_, err = io.WriteString(conn, switching)
	return err
}
