package headers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/doctor/service"
	"github.com/devtun/devtun/cmd/cli/output"
)

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		about string
		hops  []hop
		want  map[string]check.Status // by message
	}{
		{"passed on", []hop{{"front", "middle", true, ""}, {"middle", "back", true, ""}}, map[string]check.Status{
			"front passes baggage on to middle": check.OK, "middle passes baggage on to back": check.OK}},
		{"lost at once", []hop{{"front", "middle", false, ""}, {"middle", "back", false, ""}}, map[string]check.Status{
			"middle got the request without it: baggage is lost in front": check.Fault}},
		{"lost later, and told in another order", []hop{{"middle", "back", false, ""}, {"front", "middle", true, ""}},
			map[string]check.Status{"front passes baggage on to middle": check.OK,
				"back got the request without it: baggage is lost in middle": check.Fault}},
		{"a request beside it", []hop{{"front", "middle", false, ""}, {"front", "middle", true, ""}},
			map[string]check.Status{"front passes baggage on to middle": check.OK}},
		{"of somebody else", []hop{{"other", "middle", false, ""}, {"front", "back", true, ""}},
			map[string]check.Status{"front passes baggage on to back": check.OK}},
		{"nothing", nil, map[string]check.Status{`Service "front" asked no other HTTP service for the request, or did so ` +
			"by connections that stood before, which are not looked into": check.NotChecked}},
	} {
		got := make(map[string]check.Status)
		for _, r := range judge("front", c.hops) {
			got[r.Message] = r.Status
			require.Equal(t, r.Status == check.Fault, r.Hint != "", c.about)
		}
		require.Equal(t, c.want, got, c.about)
	}
}

// TestHops are requests with the header, with the trace, or made while the request was answered.
func TestHops(t *testing.T) {
	const marker = "doctor-abcdefgh1234"
	o := Options{From: service.Found{Service: "front",
		Neighbours: []service.Neighbour{{Service: "front", Pods: []string{"front-1"}}}}}
	now := time.Now()
	request := func(caller string, after time.Duration, fields ...output.Field) told {
		return told{"middle", now.Add(after), output.Request{Caller: caller, RequestHeader: fields}}
	}
	baggage := output.Field{Name: "baggage", Value: "a=b, devtun=" + marker}
	trace := output.Field{Name: "Traceparent", Value: "00-" + traceOf(marker) + "-1234567890abcdef-01"}
	require.Len(t, traceparent(marker), len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"))
	for _, c := range []struct {
		about string
		told
		want []hop
	}{
		{"with the header", request("else", time.Second, baggage), []hop{{"", "middle", true, "middle of else: "}}},
		{"with the trace", request("front-1", time.Second, trace), []hop{{"front", "middle", false, "middle of front-1: "}}},
		{"meanwhile", request("front-1", 0), []hop{{"front", "middle", false, "middle of front-1: "}}},
		{"later", request("front-1", time.Second), nil},
		{"of somebody else", request("else", 0), nil},
	} {
		require.Equal(t, c.want, o.hops([]told{c.told}, marker, now), c.about)
	}
}
