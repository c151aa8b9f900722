package forwards

import (
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/proxy"
	"github.com/devtun/devtun/tunnel/record"
)

// observer looks on at the requests of one client of a forward's.
type observer struct {
	*forward
	listener *listener
	client   string // its address
}

// Begin implements proxy.Observer.
func (o observer) Begin(r *proxy.Request, to proxy.Destination) proxy.Observation {
	event := RequestEvent{
		Service: o.key, Pod: o.service.Pod, Port: int(o.listener.remote.Load()), Client: o.client,
	}
	if endpoint, is := tunnel.EndpointOf(to); is {
		event.Endpoint = endpoint.Name()
	}
	return record.Begin(r, record.Options{}, nil, func(done record.Request) {
		event.Request = done
		o.all.tell(Event{Request: &event})
	})
}
