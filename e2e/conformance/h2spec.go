package conformance

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	h2spec "github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

// TestingT is a test, as far as these need one.
type TestingT interface {
	require.TestingT
	Helper()
}

// Verdicts are what h2spec says of a server, by number and title of its cases.
type Verdicts map[string]string

// h2specWaits is how long h2spec waits for a frame or an end: well over the second that net/http
// takes from a GOAWAY to the connection's end (goAwayTimeout), so that verdicts do not depend on
// which is first.
const h2specWaits = 3 * time.Second

// H2spec runs all cases of h2spec on the server at an address.
func H2spec(t TestingT, address string) Verdicts {
	t.Helper()
	said := verdicts(t, address)
	require.Greater(t, len(said), 140)
	return said
}

// RequireSame wants what was got on the way to a server, at an address, to be what is said
// of it straight. Of a few cases it depends on who is first what comes of them: asked again,
// the way has to say the same as the server most times, or the server the same as the way.
func RequireSame(t TestingT, straight, way string, want, got Verdicts) {
	t.Helper()
	require.Len(t, got, len(want))
	for title, verdict := range got {
		if verdict != want[title] && !isMostly(t, way, title, want[title]) && !isEver(t, straight, title, verdict) {
			require.Fail(t, "not as straight", "%s: %s", title, verdict)
		}
	}
}

func isMostly(t TestingT, address, title, verdict string) bool {
	t.Helper()
	const times = 9
	number, _, _ := strings.Cut(title, " ")
	same := 0
	for range times {
		if verdicts(t, address, number)[title] == verdict {
			same++
		}
	}
	return same > times/2
}

func isEver(t TestingT, address, title, verdict string) bool {
	t.Helper()
	number, _, _ := strings.Cut(title, " ")
	for range 30 {
		if verdicts(t, address, number)[title] == verdict {
			return true
		}
	}
	return false
}

// verdicts are those of all cases, or of some sections.
func verdicts(t TestingT, address string, sections ...string) Verdicts {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	said := make(Verdicts)
	for _, group := range []*spec.TestGroup{generic.Spec(), h2spec.Spec(), hpack.Spec()} {
		group.Test(&config.Config{
			Host: host, Port: number, Sections: sections, Path: "/", Strict: true, Timeout: h2specWaits, MaxHeaderLen: 4000,
		})
		collect(said, group)
	}
	return said
}

func collect(said Verdicts, group *spec.TestGroup) {
	for i, test := range append(group.Tests, group.StrictTests...) {
		if test.Result == nil {
			continue
		}
		verdict := "passed"
		switch {
		case test.Result.Skipped:
			verdict = "skipped"
		case test.Result.Failed:
			verdict = "failed"
		}
		said[fmt.Sprintf("%s/%d %s", group.ID(), i+1, test.Desc)] = verdict
	}
	for _, below := range group.Groups {
		collect(said, below)
	}
}
