// Package disk writes files whole: a reader finds the old content or the new, and so
// does whoever comes after a crash.
//
//	var fs disk.FS                           // the real file system
//	now, err := fs.Read(path)                // content, and what file it was
//	err = fs.WriteFile(path, disk.DraftPath(path), next, 0o644)
//
// WriteFile is Create, Rename and SyncDir; who has to look once more before the rename,
// or wants to keep the old version (Exchange), calls them one by one.
//
// Who shares a file with others keeps other devtuns out by Lock, and foreign programs
// by Lease, ReadLeased and OpenExclusive, as far as the system helps.
//
// Every operation is one that a test can make fail, or at which it can end the
// process (FS.Step). The package knows nothing of what is in the files.
package disk
