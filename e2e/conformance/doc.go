// Package conformance says of a way that requests are carried on whether they arrive as they
// would straight: what others test HTTP/2 and gRPC by, and exchanges of HTTP/1, byte for
// byte. Its own tests need no cluster; H2spec, RequireSame and Exchanges are also for those
// that have one.
package conformance
