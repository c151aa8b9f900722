package plantest

import "encoding/json"

// Object is one as JSON has it.
type Object map[string]any

func (o Object) metadata() Object {
	switch m := o["metadata"].(type) {
	case map[string]any:
		return m
	case Object:
		return m
	}
	m := make(map[string]any)
	o["metadata"] = m
	return m
}

func (o Object) clone() Object {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // it came from JSON
	}
	var c Object
	if err := json.Unmarshal(text, &c); err != nil {
		panic(err)
	}
	return c
}

// UID is the object's.
func (o Object) UID() string {
	uid, _ := o.metadata()["uid"].(string)
	return uid
}

// OwnerUID is the UID of the object's first owner.
func (o Object) OwnerUID() string {
	owners, _ := o.metadata()["ownerReferences"].([]any)
	if len(owners) == 0 {
		return ""
	}
	uid, _ := owners[0].(map[string]any)["uid"].(string)
	return uid
}
