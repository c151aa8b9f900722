package forward

import (
	"bytes"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel/discovery"
)

func TestWhoRunsACommandIsToldTheWayOut(t *testing.T) {
	in := func(namespace, name string) discovery.Key { return discovery.Key{Namespace: namespace, Name: name} }
	low := func(service, pod string, port int, others ...int) *forwards.ServiceEvent {
		e := &forwards.ServiceEvent{State: forwards.Failed, Service: in("demo", service), Pod: pod}
		e.Refused = []*forwards.PortError{{Service: e.Service, Pod: pod, Port: forwards.PortEvent{Local: port, Remote: port},
			Err: syscall.EACCES}}
		for _, other := range others {
			e.Ports = append(e.Ports, forwards.PortEvent{Local: other, Remote: other})
		}
		return e
	}
	elsewhere := low("search", "", 443)
	elsewhere.Service, elsewhere.Refused[0].Service = in("shop", "search"), in("shop", "search")
	busy := low("busy", "", 81)
	busy.Refused = append(busy.Refused, &forwards.PortError{Err: syscall.EADDRINUSE})
	both := low("dns", "", 53)
	both.Refused = append(both.Refused, &forwards.PortError{Service: both.Service, Err: syscall.EACCES,
		Port: forwards.PortEvent{Local: 53, Remote: 53, UDP: true}})
	for _, c := range []struct {
		about  string
		fixed  bool // --port moves nothing
		events []*forwards.ServiceEvent
		want   string // after the line that it is ready
	}{
		{"nothing", false, nil, ""},
		{"one", false, []*forwards.ServiceEvent{low("web", "", 80)},
			"warning: only root may listen on ports below 1024: those of web cannot be reached\n" +
				"hint: add --hosts system, or move the port: --port web:8080:80\n"},
		{"8080 is its own", false, []*forwards.ServiceEvent{low("web", "", 80, 8080, 9080), elsewhere},
			"warning: only root may listen on ports below 1024: those of web, search.shop cannot be reached\n" +
				"hint: add --hosts system, or move the port: --port web:10080:80 --port search.shop:8443:443\n"},
		{"two protocols move together", false, []*forwards.ServiceEvent{both},
			"warning: only root may listen on ports below 1024: those of dns cannot be reached\n" +
				"hint: add --hosts system, or move the port: --port dns:8053:53\n"},
		{"many", false, []*forwards.ServiceEvent{low("a", "", 80), low("b", "", 80), low("c", "", 80), low("d", "", 80)},
			"warning: only root may listen on ports below 1024: those of a, b, c, d cannot be reached\n" +
				"hint: add --hosts system, or move the port: --port a:8080:80 --port b:8080:80 --port c:8080:80 …\n"},
		{"a pod", false, []*forwards.ServiceEvent{low("web", "web-0", 80)},
			"warning: only root may listen on ports below 1024: those of web-0.web cannot be reached\nhint: add --hosts " +
				"system\n"},
		{"an intercept's", true, []*forwards.ServiceEvent{low("web", "", 80)},
			"warning: only root may listen on ports below 1024: those of web cannot be reached\n" +
				"hint: add --hosts system\n"},
		{"another reason as well is told as it is", false, []*forwards.ServiceEvent{busy}, ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			var out, errors bytes.Buffer
			w := &CommandTeller{Out: output.NewLines(&out, &errors, output.Look{}), Ready: make(chan struct{}), Moves: !c.fixed}
			of := &selection.Selection{Namespace: "demo"}
			for _, event := range c.events {
				w.Tell(of, forwards.Event{Service: event})
			}
			w.Tell(of, forwards.Event{Ready: &forwards.ReadyEvent{Services: 1}})
			<-w.Ready
			_, after, _ := bytes.Cut(errors.Bytes(), []byte("\n"))
			require.Equal(t, c.want, string(after))
		})
	}
}
