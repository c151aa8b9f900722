// Package sockdiag asks the kernel for the TCP sockets of this machine, by
// sock_diag(7): those that listen, whom others are connected to, and what has become
// of one.
//
// It is for Linux. Elsewhere the package is empty, and whoever uses it does without.
package sockdiag
