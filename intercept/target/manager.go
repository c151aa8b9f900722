package target

import (
	"encoding/json"
	"net/url"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fieldManager stands in an object's managedFields for what devtun changes.
const fieldManager = "devtun"

// withFieldManager names the manager of what a request changes.
func withFieldManager(path, manager string) string {
	path, _, _ = strings.Cut(path, "?")
	return path + "?fieldManager=" + url.QueryEscape(manager)
}

// managerOf is who has set a field, whom the undo puts back in place along with
// the field itself: as devtun's, the field would be in the way of whoever next
// applies the object on the server's side. A manager that applies so itself
// cannot be put back; the field stays devtun's then.
func managerOf(meta metav1.ObjectMeta, path ...string) string {
	for _, entry := range meta.ManagedFields {
		if entry.Operation != metav1.ManagedFieldsOperationUpdate || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		var fields map[string]json.RawMessage
		text, found := json.RawMessage(entry.FieldsV1.GetRawBytes()), true
		for _, key := range path {
			fields = nil
			if json.Unmarshal(text, &fields) != nil {
				found = false
				break
			}
			if text, found = fields[key]; !found {
				break
			}
		}
		if found && entry.Manager != "" {
			return entry.Manager
		}
	}
	return fieldManager
}
