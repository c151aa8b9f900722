// Package selection knows which services a command is about: those named, all of some
// namespaces or with some labels, but for those left out, and with their ports moved.
//
//	err := flags.Locate(ctx, cluster)                  // of several namespaces
//	selected, err := selection.New(flags, cluster.Namespace)
//	err = selected.Check(all)                          // once the cluster has told what there is
package selection
