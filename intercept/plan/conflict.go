package plan

import (
	"encoding/json"
	"fmt"
)

// Conflict is a change that somebody else made to what a step had changed.
type Conflict struct {
	Object   Object          `json:"object"`
	Field    string          `json:"field"` // a JSON pointer
	Expected json.RawMessage `json:"expected"`
	Found    json.RawMessage `json:"found"` // null if it is not there
}

// String is the whole sentence.
func (c Conflict) String() string {
	switch c.Field {
	case "/metadata/uid":
		return fmt.Sprintf("%s was recreated by somebody else", c.Object)
	case "/spec/replicas":
		return fmt.Sprintf("%s has been scaled by somebody else: it has %s replicas, not %s",
			c.Object, replicas(c.Found), replicas(c.Expected))
	}
	return fmt.Sprintf("%s has been changed by somebody else: %s is %s, not %s", c.Object, c.Field, c.Found, c.Expected)
}

// replicas is a number of them; a scale of none has no such field.
func replicas(text json.RawMessage) string {
	if string(text) == "null" {
		return "0"
	}
	return string(text)
}
