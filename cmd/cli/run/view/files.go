package view

// FilesVariable is the variable of a program's environment that has Files.Dir: what cannot
// be shown in its place is found there.
const FilesVariable = "DEVTUN_FILES"

// Files are what a program is to see in places of their own.
type Files struct {
	Dir string // has them, below it by their paths; of this user alone
	// Mounts are the absolute paths of directories and single files that are
	// shown. One within another comes with it.
	Mounts []string
}

// Unshown is a mount that is not shown.
type Unshown struct {
	Mount string
	Why   string
}
