package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// TouchedAnnotation is on the ConfigMap of a plan: when, by the clock of the
// developer's machine, an agent was last in use. It is for people; devtun only
// looks whether it changes.
const TouchedAnnotation = "devtun.dev/touched"

// TouchEvery is the longest that may lie between two touches of an intercept with
// that grace period, and between two looks at them: one of each may get lost.
func TouchEvery(grace time.Duration) time.Duration { return grace / 4 }

// Touch says, for every agent of the intercept to see, that the developer is
// there: not every one of them need be within reach. The developer's side calls
// it while it has a session with at least one. The error is ErrNone if the
// intercept no longer stands.
func Touch(ctx context.Context, client *Client, ref Ref) error {
	_, stored, err := load(ctx, client, ref)
	if err != nil {
		return err
	}
	body, err := json.Marshal([]struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}{
		{"test", "/metadata/uid", stored.Metadata.UID},
		{"add", "/metadata/annotations/devtun.dev~1touched", formatTime(time.Now())},
	})
	if err != nil {
		return fmt.Errorf("touch plan: %w", err)
	}
	_, err = client.send(ctx, Request{Method: http.MethodPatch, Path: configMapPath(ref.Namespace, ref.Name),
		ContentType: JSONPatch, Body: body})
	switch {
	case refused(err, http.StatusNotFound):
		return ErrNone
	case refused(err, http.StatusUnprocessableEntity):
		_, now, found := load(ctx, client, ref)
		if errors.Is(found, ErrNone) || found == nil && now.Metadata.UID != stored.Metadata.UID {
			return ErrNone
		}
	}
	if err != nil {
		return fmt.Errorf("touch plan: %w", err)
	}
	return nil
}

// LastTouch is a word that every Touch changes. The error is ErrNone if the
// intercept no longer stands.
func LastTouch(ctx context.Context, client *Client, ref Ref) (string, error) {
	_, stored, err := load(ctx, client, ref)
	if err != nil {
		return "", err
	}
	return stored.Metadata.Annotations[TouchedAnnotation], nil
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
