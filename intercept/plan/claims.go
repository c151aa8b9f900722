package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/internal/pause"
)

// ClaimsKey is where the ConfigMap of a plan has who holds the intercept.
const ClaimsKey = "claims.json"

// holding is who holds an intercept, as it is stored beside the plan. It changes by
// compare-and-swap: see update.
type holding struct {
	Claims []claim.Claim `json:"claims"`
	// Swapped: all of the swap has been carried out. Until then each of those who hold
	// the intercept does it.
	Swapped bool `json:"swapped,omitempty"`
	// Ending: it is being restored, by whoever sees it, and nobody joins any more.
	Ending bool `json:"ending,omitempty"`
}

// index is where a claim stands, or -1.
func (h *holding) index(id string) int {
	return slices.IndexFunc(h.Claims, func(c claim.Claim) bool { return c.ID == id })
}

// has fails with ErrRestored if the intercept is being restored, and with ErrEnded if
// the claim is not there.
func (h *holding) has(id string) error {
	switch {
	case h.Ending:
		return ErrRestored
	case h.index(id) < 0:
		return ErrEnded
	}
	return nil
}

// parseHolding reads who holds an intercept. An older devtun stored none: that is nobody.
func parseHolding(data map[string]string) (h holding, known bool, err error) {
	text, known := data[ClaimsKey]
	if !known {
		return h, false, nil
	}
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return h, true, fmt.Errorf("read claims: %w", err)
	}
	return h, true, nil
}

// Claims returns who holds an intercept, in the order of joining, whether it is being
// restored, and for each claim a word that every Touch of it changes. The error is
// ErrNone if the intercept no longer stands.
func Claims(ctx context.Context, client *Client, ref Ref) (
	claims []claim.Claim, ending bool, touched map[string]string, err error,
) {
	_, stored, err := load(ctx, client, ref)
	if err != nil {
		return nil, false, nil, err
	}
	h, _, err := parseHolding(stored.Data)
	return h.Claims, h.Ending, stored.touched(), err
}

// touched is the word of each claim.
func (c configMap) touched() map[string]string {
	words := make(map[string]string)
	for key, word := range c.Metadata.Annotations {
		if id, is := strings.CutPrefix(key, TouchedPrefix); is {
			words[id] = word
		}
	}
	return words
}

// stored is what update changes.
type stored struct {
	plan *Plan
	configMap
	holding
	known bool // false: an older devtun made it, and what is said of its holding is lost
}

// errUnchanged says that all is as it should be.
var errUnchanged = errors.New("nothing to change")

// update changes an intercept's ConfigMap by compare-and-swap. What change makes of the
// holding is stored, with what else it returns, unless somebody else was faster: then it
// is asked anew. With errUnchanged nothing is sent. The error is ErrNone if the
// intercept no longer stands.
func update(ctx context.Context, client *Client, ref Ref, change func(*stored) ([]operation, error)) error {
	uid, refusedAt, backoff := "", "", newBackoff()
	for {
		s, err := loadStored(ctx, client, ref)
		if err != nil {
			return err
		}
		if uid != "" && uid != s.Metadata.UID {
			return ErrNone // this is the next one
		}
		uid = s.Metadata.UID
		more, err := change(s)
		if errors.Is(err, errUnchanged) {
			return nil
		}
		if err != nil {
			return err
		}
		body, err := s.patch(more)
		if err != nil {
			return err
		}
		_, err = client.send(ctx, Request{Method: http.MethodPatch, Path: configMapPath(ref.Namespace, ref.Name),
			ContentType: JSONPatch, Body: body})
		switch {
		case refused(err, http.StatusNotFound):
			return ErrNone
		case err == nil, !refused(err, http.StatusUnprocessableEntity) && !refused(err, http.StatusConflict),
			s.Metadata.ResourceVersion == refusedAt:
			return err // it is done, or refused for what it is
		}
		refusedAt = s.Metadata.ResourceVersion                           // or it has changed meanwhile
		if err := pause.Sleep(ctx, rand.N(backoff.Next())); err != nil { // not all at once
			return err
		}
	}
}

func loadStored(ctx context.Context, client *Client, ref Ref) (*stored, error) {
	p, found, err := load(ctx, client, ref)
	if err != nil {
		return nil, err
	}
	s := &stored{plan: p, configMap: found}
	s.holding, s.known, err = parseHolding(found.Data)
	return s, err
}

// patch is what makes of the ConfigMap as it was read what it is now.
func (s *stored) patch(more []operation) ([]byte, error) {
	before := s.Data[ClaimsKey]
	after, err := json.Marshal(s.holding)
	if err != nil {
		return nil, fmt.Errorf("write claims: %w", err)
	}
	const path = "/data/" + ClaimsKey
	operations := []operation{text("test", "/metadata/uid", s.Metadata.UID)}
	if s.known {
		operations = append(operations, text("test", path, before))
		if string(after) != before {
			operations = append(operations, text("replace", path, string(after)))
		}
	}
	return json.Marshal(append(operations, more...))
}

// text is an operation whose value is a string.
func text(op, path, value string) operation {
	written, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings have JSON
	}
	return operation{Op: op, Path: path, Value: written}
}

// touch is what sets the word of a claim.
func touch(id string) operation { return text("add", touchedPath(id), formatTime(time.Now())) }

// touchedPath is the JSON pointer to a claim's word.
func touchedPath(id string) string {
	return "/metadata/annotations/" + escape.Replace(TouchedPrefix+id)
}
