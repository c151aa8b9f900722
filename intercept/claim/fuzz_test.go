package claim

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Words that two rules and a request are made of: few, so that they meet.
var (
	someHeaders = []Header{
		{"x", Is, "1"}, {"x", Is, "2"}, {"x", Is, "a=1"}, {"x", Is, "b=2, a=1;p"}, {"x", Matches, "1"},
		{"x", Matches, "^a=1$"}, {"x", Has, "a=1"}, {"x", Has, "a=2"}, {"x", Has, "b=2"}, {"y", Is, "1"},
		{"y", Matches, "."}, {"y", Has, "a=%31"},
	}
	somePaths   = []string{"", "/", "/a", "/a/b", "/b", "~^/a", "~b"}
	someMethods = []string{"GET", "PUT", "POST"}
	someTargets = []string{"/", "/a", "/ab", "/a/b", "/b", "*"}
	someLines   = []string{"", "1", "2", "a=1", "a=2", "b=2, a=1;p", "b=2,a=2", "12", "a=%31"}
)

// dice are the fuzzer's bytes.
type dice []byte

func (d *dice) roll(sides int) int {
	if len(*d) == 0 {
		return 0
	}
	n := int((*d)[0]) % sides
	*d = (*d)[1:]
	return n
}

func (d *dice) rule() (r Rule) {
	for range d.roll(4) {
		r.Headers = append(r.Headers, someHeaders[d.roll(len(someHeaders))])
	}
	r.Path = somePaths[d.roll(len(somePaths))]
	for range d.roll(3) {
		r.Methods = append(r.Methods, someMethods[d.roll(len(someMethods))])
	}
	return r
}

// FuzzCompare checks what Compare says of two rules against a request.
func FuzzCompare(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 2, 0, 3, 1, 0, 1, 1, 1})
	f.Add([]byte{2, 6, 9, 1, 0, 1, 6, 0, 0, 0, 3, 3, 1})
	f.Add([]byte{0, 2, 1, 0, 0, 3, 2, 0, 1, 0, 3, 0, 0})
	f.Fuzz(func(t *testing.T, text []byte) {
		d := dice(text)
		a, b := d.rule(), d.rule()
		method, path := someMethods[d.roll(len(someMethods))], someTargets[d.roll(len(someTargets))]
		lines := map[string][]string{}
		for _, name := range []string{"x", "y"} {
			if line := someLines[d.roll(len(someLines))]; line != "" {
				lines[name] = []string{line}
			}
		}
		matches := func(r Rule) bool {
			m, err := r.Compile()
			require.NoError(t, err)
			return m.Match(method, path, func(name string) []string { return lines[name] })
		}
		inA, inB, relation := matches(a), matches(b), Compare(a, b)
		if relation == Disjoint {
			require.False(t, inA && inB, "%s and %s: %s %s %v", a, b, method, path, lines)
		}
		if relation == Same || relation == Contains {
			require.False(t, inB && !inA, "%s and %s: %s %s %v", a, b, method, path, lines)
		}
		if relation == Same || relation == Within {
			require.False(t, inA && !inB, "%s and %s: %s %s %v", a, b, method, path, lines)
		}
		if a.All() && b.All() {
			require.Equal(t, Same, relation)
		}
	})
}

// FuzzParseHeader reads again what it has read, and never fails where it must not.
func FuzzParseHeader(f *testing.F) {
	for _, text := range []string{"x-tester=7", "baggage~devtun=ann", "a~=b", "=", "~", "x~(", "X=y=z"} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, text, line string) {
		h, err := ParseHeader(text)
		if err != nil {
			return
		}
		again, err := ParseHeader(h.String())
		require.NoError(t, err)
		require.Equal(t, h, again)
		if h.Op == Is {
			require.Equal(t, h.Value == line, h.matches(line))
		}
		require.Equal(t, Same, Compare(Rule{Headers: []Header{h}}, Rule{Headers: []Header{h}}))
		personal := Personal(line)
		if _, err := personal.compile(); err == nil {
			require.True(t, personal.matches("a=b,"+personal.Value+";p"))
		}
	})
}
