// Package apiserver is the area "API server" of devtun doctor: whether it is reached, by
// whom it is answered, what passes on the way, and what this user may do there.
//
//	meeting := apiserver.Meet(ctx, cluster.Config)        // without credentials, once
//	results, answers := apiserver.Check(ctx, apiserver.Options{Cluster: cluster, …})
//
// Meet sends one request without credentials, and trusts whatever certificate it gets: so an
// expired certificate, a wrong clock and a stranger can be told apart. Everything else is
// asked as the user, after that, side by side.
package apiserver
