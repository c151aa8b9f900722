package handover

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// encodeJSON makes one object of strings, in the order of the variables. What is
// not UTF-8 is left out: a JSON string has no way to hold it.
func encodeJSON(variables []Variable) (content []byte, gaps []Gap) {
	texts := make(map[string]string, len(variables))
	for _, v := range variables {
		if !utf8.ValidString(v.Name) || !utf8.ValidString(v.Value) {
			gaps = append(gaps, Gap{Name: v.Name, Why: notText, Left: true})
			continue
		}
		texts[v.Name] = v.Value
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(texts); err != nil {
		panic(err) // strings always encode
	}
	return out.Bytes(), gaps
}
