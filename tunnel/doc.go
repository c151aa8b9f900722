// Package tunnel gets bytes to a port of a pod and back, over port-forwards.
//
//	transport, err := tunnel.NewTransport(restConfig, tunnel.Auto)
//	pool := tunnel.NewPool(transport.Dial)                     // opens nothing yet
//	defer pool.Close()
//	port := &tunnel.Port{Endpoints: endpoints, Dial: pool.DialEndpoint, Hold: tunnel.DefaultHold}
//	err = port.Serve(ctx, listener)                            // until ctx ends
//
// The way of a byte out, and the functions that it passes:
//
//	program ─▶ listener
//	  Port.Serve ─▶ Port.carry      accepts the connection; looks after it to its end
//	    search.next                 a ready pod (Endpoints.pick), in turn; held until there is one
//	    Pool.Dial ─▶ Pool.acquire   an API connection to the pod: an idle one, a new one, or shared
//	      Transport.Dial            … a new one: an upgrade to SPDY, or to WebSocket
//	      openPodConn               two streams on it, in one write: errors and data
//	    duplex.Copy                 reads from the program (client.Read), writes to the pod
//	      podConn.Write ─▶ mux.Stream.Write    one frame for each read
//	        mux.Connection.acquire     waits for a slot of the far side's worker
//	        mux.Connection.write       header and payload in one system call
//	  ─▶ API server ─▶ kubelet ─▶ container runtime ─▶ process in the pod
//
// And back:
//
//	  ─▶ mux.Connection.read           one goroutine for each API connection takes frames
//	       mux.Stream.push          into the stream's queue
//	     duplex.Copy                podConn.Read takes what is there, client.Write passes it on
//	program
//
// A Port that has something to do with requests (Requests) has package proxy carry its
// connections: way is the router, whose destinations are an endpoint (offer) and a process
// of this machine's. All others go byte for byte as above.
//
// A PacketPort does the same for UDP: one client's datagrams are a flow, which goes to an
// endpoint for as long as there are any (flow).
//
// Until a pod has said something, duplex.Rewindable keeps what the program said: a pod
// that refuses the connection has seen nothing of it, and the next one gets all of it.
// An end of input travels as such (CloseWrite); a failure aborts both sides. What the
// runtime says on the error stream tells the two apart (podConn.hear).
//
// A Port owns the connections that it accepts, and waits for them. A Pool owns its API
// connections and the goroutines that open and watch them; Close ends both. Who the
// ready pods are is package discovery's to know, and its user's to pass to Endpoints.
package tunnel
