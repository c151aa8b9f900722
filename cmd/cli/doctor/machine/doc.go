// Package machine is the area "this machine" of devtun doctor: the kubeconfig and its
// credentials, the clock, and what decides where the names of services lead here.
//
//	results := machine.Check(ctx, machine.Options{Files: flags.Files(), Cluster: cluster, …})
//
// Nothing is changed: sudo is asked what it would do, and a command is given a hosts file of
// its own for as long as it takes to end.
package machine
