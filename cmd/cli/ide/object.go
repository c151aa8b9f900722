package ide

import (
	"bytes"
	"encoding/json"
	"regexp"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// note is the name of a member that stands for a comment of one line, its value. Only lines
// have such: an object with an indent.
const note = "//"

var noteLine = regexp.MustCompile(`(?m)^(\s*)"//": "(.*)",$`)

// partly is an object in a file of which only these members are devtun's.
type partly struct{ object }

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	out := bytes.NewBufferString("{")
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(encode(m.name, "", ""))
		out.WriteByte(':')
		out.Write(encode(m.value, "", ""))
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// encode is the JSON of a value made here, in lines if there is an indent: all but the
// first begin with prefix.
func encode(value any, prefix, indent string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent(prefix, indent)
	if err := encoder.Encode(value); err != nil {
		panic(err) // values made here can be encoded
	}
	return noteLine.ReplaceAll(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("$1// $2"))
}
