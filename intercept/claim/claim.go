package claim

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

// Claim is one developer's.
type Claim struct {
	ID      string    `json:"id"` // of NewID
	User    string    `json:"user"`
	Machine string    `json:"machine"`
	Since   time.Time `json:"since"`
	// Order is of joining: who has the lower one is asked first.
	Order int `json:"order"`
	// Ports are those of the agent that it is about.
	Ports []int `json:"ports"`
	Rule  Rule  `json:"rule"`
	// TLS: it takes TLS connections whole, whatever its rule.
	TLS bool `json:"tls,omitempty"`
	// Mirror: it gets copies, and somebody else answers.
	Mirror bool `json:"mirror,omitempty"`
	// Mark: answers say who gave them.
	Mark bool `json:"mark,omitempty"`
	// Reach are the targets outside the namespace's Services and pods that a relay connects
	// to for it, as package relay parses them: "host/db.internal:5432".
	Reach []string `json:"reach,omitempty"`
	// Grace is how long its developer may be away before an agent ends it; 0 is for ever.
	Grace Duration `json:"grace,omitempty"`
}

// Owner is who has the claim, for people: "ann on ann's".
func (c Claim) Owner() string { return c.User + " on " + c.Machine }

// String is the whole claim for people: "header x-tester=7 of ann on ann's since …".
func (c Claim) String() string {
	what := c.Rule.String()
	if c.Mirror {
		what = "a mirror of " + what
	}
	return fmt.Sprintf("%s of %s since %s", what, c.Owner(), c.Since.Local().Format(time.DateTime))
}

// NewID is a random one, which an annotation's name may have.
func NewID() string { return rand.Text() }

// Conflict says what stands between two claims: conflict, that they cannot stand side by
// side; open, that they can, but some requests may be both's, and go to the earlier.
func (c Claim) Conflict(other Claim) (conflict, open bool) {
	if c.Mirror || other.Mirror || !slices.ContainsFunc(c.Ports, func(port int) bool {
		return slices.Contains(other.Ports, port)
	}) {
		return false, false
	}
	if c.TLS && other.TLS {
		return true, false
	}
	if all, others := c.Rule.All(), other.Rule.All(); all || others {
		return all && others, false // the one that takes everything is asked last
	}
	switch Compare(c.Rule, other.Rule) {
	case Disjoint:
		return false, false
	case Open:
		return false, true
	}
	return true, false
}

// Duration is a time.Duration in Go's notation ("30s").
type Duration time.Duration

func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}
