package proxy

import (
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2Request is the request of a header. It is not ok if the header is none of a request
// (RFC 9113, section 8.3.1).
func h2Request(f *http2.MetaHeadersFrame) (request Request, ok bool) {
	request = Request{
		Protocol:  HTTP2,
		Method:    f.PseudoValue("method"),
		Target:    f.PseudoValue("path"),
		Authority: f.PseudoValue("authority"),
		Scheme:    f.PseudoValue("scheme"),
		Extended:  f.PseudoValue("protocol"),
		Header:    fieldsOf(f.RegularFields()),
	}
	switch {
	case request.Method == "CONNECT" && request.Extended == "":
		ok = request.Target == "" && request.Scheme == "" && request.Authority != ""
	case request.Method == "CONNECT": // RFC 8441, section 4
		ok = true
	default:
		ok = request.Method != "" && request.Target != "" &&
			(request.Scheme == "http" || request.Scheme == "https")
	}
	if hosts := request.Values("host"); request.Authority == "" && len(hosts) > 0 {
		request.Authority = hosts[0]
	}
	return request, ok
}

// h2Status is an answer's status.
func h2Status(f *http2.MetaHeadersFrame) (status int, ok bool) {
	status, err := strconv.Atoi(f.PseudoValue("status"))
	return status, err == nil && status >= 100 && status <= 999
}

// fieldsOf are a header's fields, without HTTP/2's own.
func fieldsOf(fields []hpack.HeaderField) []Field {
	var regular []Field
	for _, f := range fields {
		if !f.IsPseudo() {
			regular = append(regular, Field{Name: f.Name, Value: f.Value, Sensitive: f.Sensitive})
		}
	}
	return regular
}

// carryOn returns a header with what it carries on.
func carryOn(fields []hpack.HeaderField, carried []Carried) []hpack.HeaderField {
	if len(carried) == 0 {
		return fields
	}
	fields = append([]hpack.HeaderField{}, fields...)
	for _, carry := range carried {
		name, last, there := lower(carry.Name), -1, false
		for i, f := range fields {
			if f.Name == name {
				last = i
				there = there || !carry.List || hasMember(f.Value, carry.Value)
			}
		}
		switch {
		case there:
		case last >= 0:
			fields[last].Value += "," + carry.Value
		default:
			fields = append(fields, hpack.HeaderField{Name: name, Value: carry.Value})
		}
	}
	return fields
}

// hasMember reports that a list has a member, whose properties do not count.
func hasMember(list, member string) bool {
	for each := range strings.SplitSeq(list, ",") {
		each, _, _ = strings.Cut(each, ";")
		if strings.TrimSpace(each) == member {
			return true
		}
	}
	return false
}

func lower(name string) string { return strings.ToLower(name) }
