package hostsfile

import "github.com/devtun/devtun/disk"

// files is the file system, and what is done on it here.
type files struct{ disk.FS }
