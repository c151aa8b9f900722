// Package output tells a user what a command does: typed events, and three writers of them.
//
//	out := output.NewLines(stdout, stderr, output.Look{})
//	out.Write(output.Starting{Command: "forward", Version: output.Version})
//	out.Write(output.Ready{ServiceCount: 3, PortCount: 4, Seconds: output.Seconds(took)})
//	out.Write(output.Stopped{})
//
// An event (event.go) is a struct with JSON tags, made by whoever knows what has happened.
// Lines writes it for people, results to standard output and the rest to standard error;
// Table does so beneath a live table, which shows the services itself; JSON writes it as
// an object, for tools. docs/events.md and docs/events.schema.json are made from the
// structs and their comments by docs/gen: fields are added over time, never renamed.
//
// What is written goes to a Queue, which stands before a reader that may stall or go.
package output
