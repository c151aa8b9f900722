// Package proxy carries a client's connection to where each of its requests is to go,
// byte for byte: HTTP/1 request by request, HTTP/2 stream by stream, and everything
// else whole. It knows neither Kubernetes nor who decides.
//
//	conn := proxy.New(client, router, proxy.Options{Observer: observer})
//	err := conn.Serve(ctx) // until the connection has ended
//
// What a client speaks is told from its first bytes. Then the [Router] is asked for each
// request, and between two of them anew; so one client's requests may go to several
// destinations, each by a connection that belongs to this client alone and lives as
// long. Nothing is added, taken away or put in another order, but for what a [Route]
// asks for; what cannot be understood with certainty goes whole to one destination.
//
// What has been given to a destination is repeated elsewhere only if that has not taken
// it, or as any HTTP client may (RFC 9110, section 9.2.2; RFC 9113, section 8.7).
package proxy
