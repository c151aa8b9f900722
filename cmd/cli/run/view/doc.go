// Package view shows a program files in places where this machine has others, or none: by
// bind mounts in a mount namespace of its own (Linux).
//
//	attributes, user := view.Attributes()          // for the process that is to have the view
//	v := view.View{Hosts: …, Files: …, User: user} // in that process
//	shown, err := v.Enter()
//	for range shown.Moved { shown.Renew() }
//
// Nothing is made on the file system itself, and nobody else sees any of it. A place that is
// there is covered. For one that is not, the nearest directory above it is made anew
// (build_linux.go): a tmpfs over it that has each of its entries bound into it, and the
// place. What somebody adds to that directory later would be lost, and would be missed: so it
// is read-only, and where programs are meant to write nothing is shown (place_linux.go). A file
// in it that somebody outside replaces is bound again (cover_linux.go).
//
// What is under the current directory, the home directory and the program's own file
// is never hidden.
package view
