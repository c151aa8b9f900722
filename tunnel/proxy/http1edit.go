package proxy

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// carry returns the head of r with what it carries on: a member of a list at the end of
// that header's last line, anything else as a line at the end of the head.
func carry(r *Request, carried []Carried) []byte {
	raw := r.Raw
	for _, c := range carried {
		values := r.Values(c.Name)
		switch {
		case len(values) == 0:
			raw = slices.Insert(slices.Clone(raw), len(raw)-2, []byte(c.Name+": "+c.Value+"\r\n")...)
		case c.List && !slices.ContainsFunc(values, c.isMember):
			raw = appendMember(raw, c)
		}
	}
	return raw
}

// isMember reports that a list has the member already.
func (c Carried) isMember(list string) bool {
	for member := range strings.SplitSeq(list, ",") {
		member, _, _ = strings.Cut(member, ";") // its properties
		if strings.Trim(member, " \t") == c.Value {
			return true
		}
	}
	return false
}

// appendMember appends to the last line of a list's header.
func appendMember(raw []byte, c Carried) []byte {
	at, empty := 0, false
	for begin := emptyLines(raw); begin < len(raw); {
		end := begin + bytes.Index(raw[begin:], []byte("\r\n"))
		name, value, _ := bytes.Cut(raw[begin:end], []byte(":"))
		if strings.EqualFold(string(name), c.Name) {
			at, empty = end, len(bytes.Trim(value, " \t")) == 0
		}
		begin = end + 2
	}
	text := ", " + c.Value
	if empty {
		text = text[1:]
	}
	return slices.Insert(slices.Clone(raw), at, []byte(text)...)
}

// afterStatus returns an answer with lines directly after its status line.
func afterStatus(answer []byte, lines string) []byte {
	at := bytes.IndexByte(answer, '\n') + 1
	return slices.Insert(slices.Clone(answer), at, []byte(lines)...)
}

// linesOf are fields as a head has them.
func linesOf(fields []Field) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	return b.String()
}

// carryOn is carry for HTTP/2, whose names are in lower case.
func carryOn(fields []hpack.HeaderField, carried []Carried) []hpack.HeaderField {
	if len(carried) == 0 {
		return fields
	}
	fields = append([]hpack.HeaderField{}, fields...)
	for _, carry := range carried {
		name, last, there := strings.ToLower(carry.Name), -1, false
		for i, f := range fields {
			if f.Name == name {
				last = i
				there = there || !carry.List || carry.isMember(f.Value)
			}
		}
		switch {
		case there:
		case last >= 0:
			fields[last].Value = strings.TrimPrefix(fields[last].Value+", "+carry.Value, ", ")
		default:
			fields = append(fields, hpack.HeaderField{Name: name, Value: carry.Value})
		}
	}
	return fields
}
