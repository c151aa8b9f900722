// Package ide is devtun ide: it writes the files by which an editor starts devtun before its debugger
// and ends it afterwards: .vscode/tasks.json and launch.json, .run/*.run.xml.
//
//	changes, err := ide.VSCode(folder, target)
//	for _, change := range changes { err = change.Apply() }
//
// These files are the user's. What they hold stays byte for byte, comments and unknown
// keys included, but for the few values that devtun's own entries need (jsonc.go,
// runxml.go). A file that cannot be understood is not touched; the *FileError says
// where it is broken.
package ide
