// Package conformance has what others test HTTP/2 and gRPC by say whether a request that
// package proxy carries arrives as it would straight: its tests need no cluster. H2spec and
// RequireSame are for those that have one.
package conformance
