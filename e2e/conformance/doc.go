// Package conformance has what others test HTTP/2 and gRPC by say whether a request that
// package proxy carries arrives as it would straight. It needs no cluster.
package conformance
