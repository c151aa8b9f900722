// Package kube turns kubectl's flags into a cluster: its clients, with the credentials of
// whoever asks; the rights that a command needs there, asked for and named; and the
// namespaces that have what was looked for elsewhere.
//
//	flags := kube.NewFlags(cmd.Flags())
//	cluster, err := flags.Connect()   // reads the kubeconfig, sends nothing
//	err = cluster.LogIn(ctx)          // the one request that may ask a person
//	err = cluster.Preflight(ctx, namespaces, rights)
package kube
