// Package machine knows who does on this machine what needs root's rights: this process
// itself, the helper, or nobody, since a command alone sees the names.
//
//	view, err := machine.OpenView(hosts, start)   // --hosts
//	hosts, opened, err := view.Open()
//	err = machine.Prepare(ctx, opened)            // may ask for a password
package machine
