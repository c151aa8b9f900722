// Package console is how a command speaks to its user: the writer of its events that the
// flags ask for, and what every command writes there.
//
//	table, out := console.NewTable(streams, style, tracker, quit)
//	defer table.Close()
//	defer func() { out.Write(console.End(err)) }()
package console
