// Package disk writes files whole: a reader finds the old content or the new, and so
// does whoever comes after a crash.
//
//	var fs disk.FS                           // the real file system
//	now, err := fs.Read(path)                // content, and what file it was
//	err = fs.Create(draft, next, &disk.Original{Path: path, Info: now.Info})
//	err = fs.Rename(draft, path)             // or Exchange, which keeps the old one
//	err = fs.SyncDir(filepath.Dir(path))
//
// Who shares a file with others keeps other devtuns out by Lock, and foreign programs
// by Lease, ReadLeased and OpenExclusive, as far as the system helps.
//
// Every operation is one that a test can make fail, or at which it can end the
// process (FS.Step). The package knows nothing of what is in the files.
package disk
