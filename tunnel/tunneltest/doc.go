// Package tunneltest is a port-forward server in the test's own process, so
// that package tunnel is tested without a cluster:
//
//	srv := tunneltest.NewServer(t)
//	pod := srv.Pod("demo", "back-0")
//	pod.Serve(8080, func(c net.Conn) { io.Copy(c, c) })
//	dial(srv.Config(), "demo", "back-0", 8080)
//
// The protocol is not imitated. The server runs the very code of a container
// runtime, k8s.io/cri-streaming, behind TLS, and moves bytes as containerd 1.6
// does (see [Pod]); in front of it stands what an API server adds: the token,
// 404 for a pod that is unknown, and SPDY tunnelled through WebSocket.
//
//	client -> TLS -> wire (Hang, Drop) -> upgrade (RefuseSPDY, …) -> cri-streaming -> Pod -> handler
//
// Faults are injected where they happen in life: on the TCP connection below
// TLS (Hang, Drop), at the upgrade (RefuseSPDY, RefuseWebSocket, Unauthorized,
// SetIdleTimeout) and in the pod (a port nobody serves, Delete).
//
// A Server belongs to its test: when the test ends, it closes every connection
// and waits for every goroutine it started. What the streaming library itself
// may leave behind after an abrupt end is named by [KnownLeaks].
package tunneltest
