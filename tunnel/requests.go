package tunnel

import (
	"context"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

// Requests is what is done with the requests to a port, HTTP/1 and HTTP/2 without TLS.
type Requests struct {
	// Carry are headers that they carry on.
	Carry []proxy.Carried
	// Here, unless nil, is asked for each request (without Carry in it yet), and for
	// each connection that is carried whole, whether it goes to a process of this
	// machine's in place of an endpoint. If that does not take it, it goes to an endpoint.
	Here func(*proxy.Request) (to proxy.Destination, here bool)
	// Observer, unless nil, is who looks on at the requests of a client, by its address;
	// EndpointOf tells where one goes.
	Observer func(client string) proxy.Observer
}

// EndpointOf is the endpoint that a destination of an Observer's is; false is that it is a
// process of this machine's.
func EndpointOf(to proxy.Destination) (endpoint Endpoint, is bool) {
	o, is := to.(*offer)
	if !is {
		return Endpoint{}, false
	}
	return o.endpoint, true
}

// requests is what is done with requests now, nil if nothing.
func (p *Port) requests() *Requests {
	if p.Requests == nil {
		return nil
	}
	r := p.Requests()
	if r == nil || len(r.Carry) == 0 && r.Here == nil && r.Observer == nil {
		return nil
	}
	return r
}

// carryRequests carries a client's requests, each to where it goes, until the connection
// ends.
func (p *Port) carryRequests(ctx context.Context, client *client, report *Report) duplex.Ending {
	w := &way{port: p, client: client}
	local := &countedClient{localConn: client.conn, way: w, meter: p.Meter}
	var options proxy.Options
	if r := p.requests(); r != nil && r.Observer != nil {
		options.Observer = r.Observer(report.Client)
	}
	err := proxy.New(local, w, options).Serve(ctx)
	var ending duplex.Ending
	ending, report.Endpoint, report.Here = w.report(err)
	report.Traffic = local.traffic.Traffic()
	if err != nil {
		client.conn.Abort()
	}
	if err != nil || refused(ending.Err) {
		p.failing.notTaken(ctx, p.Failing, report.Endpoint, ending.Err)
	}
	return ending
}

// countedClient is a client that is served by requests: what it says and hears is
// counted, and its end is noted.
type countedClient struct {
	*localConn
	way     *way
	traffic Meter
	meter   *Meter // of the port; nil: none
}

func (c *countedClient) Read(p []byte) (int, error) {
	n, err := c.localConn.Read(p)
	c.count(Traffic{Sent: int64(n)})
	c.way.clientEnded(err)
	return n, err
}

func (c *countedClient) Write(p []byte) (int, error) {
	n, err := c.localConn.Write(p)
	c.count(Traffic{Received: int64(n)})
	c.way.clientEnded(err)
	return n, err
}

// WriteNow is Write of what there is room for.
func (c *countedClient) WriteNow(p []byte) int {
	n := c.localConn.WriteNow(p)
	c.count(Traffic{Received: int64(n)})
	return n
}

func (c *countedClient) count(more Traffic) {
	c.traffic.Add(more)
	if c.meter != nil {
		c.meter.Add(more)
	}
}

// Left reports that the program takes nothing more, as far as that can be known.
func (c *countedClient) Left() bool {
	left, known := hasLeft(c.localConn)
	return left && known
}
