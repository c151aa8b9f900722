// Package service checks a service for devtun doctor: whether it is there, what it leads to,
// and what keeps a byte from getting there.
//
//	results, found := service.Check(ctx, service.Options{Client: …, Namespace: "demo",
//		Asked: "web:http", Dial: pool.Dial})
//
// A namespace is read once, by a handful of lists side by side (read.go); then what the pods
// that are not ready say of it, and which ports answer through a port-forward (look.go). All
// else are functions of what was read: a subject is one service with its pods, and each of its
// checks has a file. They are asked in the order of a byte's way: the service, an intercept
// of it, its port, its selector, the pods, their ports, endpoints, policies, a mesh, the
// port-forward. Nothing in the cluster is changed.
//
// What may not be read is not checked, and says by which right it would be. Without a name all
// services of the namespace are checked, and told of in brief (brief.go). What was found is
// returned for who looks further.
package service
