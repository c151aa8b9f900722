// Package hostsfile keeps a session's names in the hosts file, which belongs to the
// user and to other tools.
//
//	file, err := hostsfile.New("")                           // the system's
//	report, err := file.Set(ctx, []hostsfile.Entry{{Addr: addr, Names: names}})
//	err = file.Watch(ctx, time.Second, lost, duplicate)         // until ctx ends
//	report, err = file.Remove(context.WithoutCancel(ctx))
//	stale, err := file.Stale()                               // what dead sessions left
//	report, err = file.Clean(ctx)
//
// A session's block is one run of lines before everything else; each line carries a
// tag that proves it ours (line.go), so that all other bytes can be told apart and
// kept (splice.go). The way of a change (update.go):
//
//	lock → replay (journal.go) → swap files → read → split → merge → edit → join
//	     → replace, or overwrite where that cannot be → look again
//
// On a full disk, where neither a new file nor a journal can be made, the file stays
// as it is, names included, and Clean takes them out another day.
//
// A replaced version is kept until it is sure that no program wrote to it
// (replace.go, swapfile.go); what one wrote is merged (merge.go). A devtun that is
// killed at any point leaves a whole file, and whoever comes next goes the same way
// and finishes the work. Names of a dead process are removed by any later Set, Remove
// or Clean of any session.
//
// github.com/txn2/txeh renders the lines of names, and parses those of others.
package hostsfile
