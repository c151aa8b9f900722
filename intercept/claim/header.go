package claim

import (
	"fmt"
	"net/url"
	"strings"
)

// Op is how a header's value is compared.
type Op string

const (
	Is      Op = "=" // it is the same, byte for byte
	Matches Op = "~" // the regular expression matches some of it
	Has     Op = "," // it is a list, and has that member (W3C Baggage, section 3.2.1.1)
)

// Header is what a rule asks of one header: that one of its lines is so.
type Header struct {
	Name  string `json:"name"` // in lower case
	Op    Op     `json:"op"`
	Value string `json:"value"`
}

// ParseHeader reads "x-tester=7" or "baggage~devtun=KEY", whichever of = and ~ is first.
// The error says what of it is invalid.
func ParseHeader(text string) (Header, error) {
	at := strings.IndexAny(text, "=~")
	if at < 0 {
		return Header{}, fmt.Errorf("%q is neither NAME=VALUE nor NAME~REGEXP", text)
	}
	h := Header{Name: strings.ToLower(text[:at]), Op: Op(text[at : at+1]), Value: text[at+1:]}
	_, err := h.compile()
	return h, err
}

// personal is the key of Personal's member.
const personal = "devtun"

// Personal is the header that OpenTelemetry passes on by itself, with a developer's key:
// "baggage: devtun=KEY".
func Personal(key string) Header {
	return Header{Name: "baggage", Op: Has, Value: personal + "=" + url.PathEscape(key)}
}

// String is the header for people, and for ParseHeader unless it is Personal's.
func (h Header) String() string {
	if h.Op == Has {
		return h.Name + " with " + h.Value
	}
	return h.Name + string(h.Op) + h.Value
}

// compile checks the header, and returns what a line of it has to be.
func (h Header) compile() (func(line string) bool, error) {
	if !isToken(h.Name) || h.Name != strings.ToLower(h.Name) {
		return nil, fmt.Errorf("%q is not a header name", h.Name)
	}
	if h.Value == "" || len(h.Value) > maxText || h.Value != strings.TrimSpace(h.Value) ||
		strings.ContainsFunc(h.Value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return nil, fmt.Errorf("header %s: %q is no value: it has 1 to %d bytes, and no space around it",
			h.Name, h.Value, maxText)
	}
	switch h.Op {
	case Is:
		return func(line string) bool { return line == h.Value }, nil
	case Matches:
		match, err := compileExpression(h.Value)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", h.Name, err)
		}
		return match, nil
	case Has:
		wanted := memberOf(h.Value)
		if strings.ContainsAny(h.Value, ",;") {
			return nil, fmt.Errorf("header %s: %q is more than one member of a list", h.Name, h.Value)
		}
		return func(line string) bool {
			for part := range strings.SplitSeq(line, ",") {
				if memberOf(part) == wanted {
					return true
				}
			}
			return false
		}, nil
	}
	return nil, fmt.Errorf("header %s: %q is no way to compare", h.Name, h.Op)
}

// member is one of a list. Its value is decoded: those who pass it on may encode it
// otherwise.
type member struct{ key, value string }

// memberOf reads one, without its properties.
func memberOf(text string) member {
	text, _, _ = strings.Cut(text, ";")
	key, value, _ := strings.Cut(text, "=")
	m := member{strings.Trim(key, " \t"), strings.Trim(value, " \t")}
	if decoded, err := url.PathUnescape(m.value); err == nil {
		m.value = decoded
	}
	return m
}

// isToken reports that text is what names of headers and methods are (RFC 9110, section
// 5.6.2), but for "~", which ParseHeader takes for its own.
func isToken(text string) bool {
	return text != "" && len(text) <= maxText && !strings.ContainsFunc(text, func(c rune) bool {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|", c)
	})
}
