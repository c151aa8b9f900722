package claim

import (
	"slices"
	"strings"
)

// Relation is what two rules are to each other, as sets of requests.
type Relation int

const (
	// Open is that a request may match both, and neither rule is known to contain the
	// other.
	Open     Relation = iota
	Disjoint          // no request matches both whose headers have one line each
	Same
	Contains // what the second matches, the first does
	Within   // what the first matches, the second does
)

// Compare says what rule a is to rule b. Both compile.
func Compare(a, b Rule) Relation {
	return both(compareMethods(a.Methods, b.Methods), both(comparePaths(a.Path, b.Path),
		compareHeaders(a.Headers, b.Headers)))
}

// both is the relation of what matches two things each.
func both(one, other Relation) Relation {
	switch {
	case one == Disjoint || other == Disjoint:
		return Disjoint
	case one == Same || one == other:
		return other
	case other == Same:
		return one
	}
	return Open
}

// of is the relation of two sets of which it is known whether they contain each other.
func of(contains, within bool, otherwise Relation) Relation {
	switch {
	case contains && within:
		return Same
	case contains:
		return Contains
	case within:
		return Within
	}
	return otherwise
}

// compareMethods compares sets, of which an empty one is all.
func compareMethods(a, b []string) Relation {
	lacks := func(set []string) func(string) bool {
		return func(method string) bool { return !slices.Contains(set, method) }
	}
	contains := len(a) == 0 || len(b) > 0 && !slices.ContainsFunc(b, lacks(a))
	within := len(b) == 0 || len(a) > 0 && !slices.ContainsFunc(a, lacks(b))
	otherwise := Disjoint
	if slices.ContainsFunc(a, func(method string) bool { return slices.Contains(b, method) }) {
		otherwise = Open
	}
	return of(contains, within, otherwise)
}

// comparePaths compares prefixes; a regular expression is within all, and the same as
// itself.
func comparePaths(a, b string) Relation {
	switch {
	case a == b:
		return Same
	case a == "":
		return Contains
	case b == "":
		return Within
	case a[0] == '~' || b[0] == '~':
		return Open
	}
	return of(strings.HasPrefix(b, a), strings.HasPrefix(a, b), Disjoint)
}

// compareHeaders compares what asks for all of a list: the more, the narrower.
func compareHeaders(a, b []Header) Relation {
	for _, h := range a {
		if slices.ContainsFunc(b, h.excludes) {
			return Disjoint
		}
	}
	return of(implyAll(b, a), implyAll(a, b), Open)
}

// implyAll reports that what matches all of these headers matches all of those.
func implyAll(these, those []Header) bool {
	return !slices.ContainsFunc(those, func(wanted Header) bool {
		return !slices.ContainsFunc(these, func(h Header) bool { return h.implies(wanted) })
	})
}

// implies reports that whatever matches h matches other.
func (h Header) implies(other Header) bool {
	if h == other {
		return true
	}
	if h.Name != other.Name {
		return false
	}
	switch h.Op {
	case Is:
		return other.matches(h.Value)
	case Has:
		return other.Op == Has && memberOf(h.Value) == memberOf(other.Value)
	}
	return false
}

// excludes reports that no line of a header matches both.
func (h Header) excludes(other Header) bool {
	switch {
	case h.Name != other.Name:
		return false
	case h.Op == Is:
		return !other.matches(h.Value)
	case other.Op == Is:
		return !h.matches(other.Value)
	case h.Op == Has && other.Op == Has:
		one, two := memberOf(h.Value), memberOf(other.Value)
		return one.key == two.key && one.value != two.value // a key is in a list once
	}
	return false
}

// matches reports that one line does.
func (h Header) matches(line string) bool {
	match, err := h.compile()
	return err == nil && match(line)
}
