package claim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCompare(t *testing.T) {
	all := []string(nil)
	for _, c := range []struct {
		a, b []string
		want Relation
	}{
		{all, all, Same},
		{all, []string{"x=1"}, Contains},
		{[]string{"GET"}, all, Within},
		{[]string{"x=1"}, []string{"X=1"}, Same},
		{[]string{"x=1"}, []string{"x=2"}, Disjoint},
		{[]string{"x=1"}, []string{"y=1"}, Open},
		{[]string{"x=1"}, []string{"x=1", "y=1"}, Contains},
		{[]string{"y=1", "x=1"}, []string{"x=1", "y=1"}, Same},
		{[]string{"x=1", "z=1"}, []string{"x=1", "y=1"}, Open},
		{[]string{"x~1"}, []string{"x~1"}, Same},
		{[]string{"x~1"}, []string{"x~^1"}, Open},
		{[]string{"x~1"}, []string{"x=21"}, Contains},
		{[]string{"x~1"}, []string{"x=2"}, Disjoint},
		{[]string{"personal ann"}, []string{"personal ann"}, Same},
		{[]string{"personal ann"}, []string{"personal bob"}, Disjoint},
		{[]string{"personal ann"}, []string{"baggage=a=b,devtun=ann"}, Contains},
		{[]string{"personal ann"}, []string{"baggage~devtun=ann"}, Open},
		{[]string{"personal ann"}, []string{"personal ann", "/api/"}, Contains},
		{[]string{"/api/"}, []string{"/api/v1/"}, Contains},
		{[]string{"/api/"}, []string{"/app/"}, Disjoint},
		{[]string{"/api/"}, []string{"~^/api/"}, Open},
		{[]string{"~^/api/"}, []string{"~^/api/"}, Same},
		{[]string{"/api/", "x=1"}, []string{"/api/v1/"}, Open},
		{[]string{"GET"}, []string{"GET,PUT"}, Within},
		{[]string{"GET,POST"}, []string{"GET,PUT"}, Open},
		{[]string{"GET,HEAD"}, []string{"HEAD,GET"}, Same},
		{[]string{"GET", "x=1"}, []string{"PUT", "x=1"}, Disjoint},
		{[]string{"GET", "/a"}, []string{"GET", "/ab", "x=1"}, Contains},
	} {
		a, b := ruleOf(t, c.a...), ruleOf(t, c.b...)
		require.Equal(t, c.want, Compare(a, b), "%s and %s", a, b)
		mirrored := map[Relation]Relation{Contains: Within, Within: Contains}
		want, turned := mirrored[c.want]
		if !turned {
			want = c.want
		}
		require.Equal(t, want, Compare(b, a), "%s and %s", b, a)
	}
}

func TestConflict(t *testing.T) {
	of := func(change func(*Claim), parts ...string) Claim {
		c := Claim{Ports: []int{80, 81}, Rule: ruleOf(t, parts...)}
		if change != nil {
			change(&c)
		}
		return c
	}
	mirror, tls := func(c *Claim) { c.Mirror = true }, func(c *Claim) { c.TLS = true }
	elsewhere := func(c *Claim) { c.Ports = []int{90} }
	for _, c := range []struct {
		a, b           Claim
		conflict, open bool
	}{
		{of(nil), of(nil), true, false},
		{of(nil), of(elsewhere), false, false},
		{of(nil), of(nil, "x=1"), false, false},
		{of(nil), of(mirror), false, false},
		{of(mirror), of(mirror), false, false},
		{of(nil, "x=1"), of(nil, "x=1"), true, false},
		{of(nil, "x=1"), of(nil, "x=2"), false, false},
		{of(nil, "x=1"), of(nil, "x=1", "/a"), true, false},
		{of(nil, "x=1"), of(nil, "/a"), false, true},
		{of(nil, "x=1"), of(mirror, "/a"), false, false},
		{of(elsewhere, "x=1"), of(nil, "x=1"), false, false},
		{of(tls, "x=1"), of(tls, "x=2"), true, false},
		{of(tls, "x=1"), of(nil), false, false},
		{of(tls, "x=1"), of(nil, "x=2"), false, false},
	} {
		conflict, open := c.a.Conflict(c.b)
		require.Equal(t, [2]bool{c.conflict, c.open}, [2]bool{conflict, open}, "%s and %s", c.a, c.b)
		conflict, open = c.b.Conflict(c.a)
		require.Equal(t, [2]bool{c.conflict, c.open}, [2]bool{conflict, open}, "%s and %s", c.b, c.a)
	}
}

func TestClaimForPeople(t *testing.T) {
	c := Claim{User: "ann", Machine: "blue", Rule: ruleOf(t, "x=1"), Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)}
	require.Equal(t, "header x=1 of ann on blue since 2026-01-02 03:04:05", c.String())
	c.Mirror = true
	require.Equal(t, "a mirror of header x=1 of ann on blue since 2026-01-02 03:04:05", c.String())
}
