// Package proc knows the processes of this machine: who one is, and which one
// stands in the way.
//
//	self, err := proc.Self()     // an ID: pid, start time, boot
//	text := self.String()        // for a file that tells its owner
//	id, ok := proc.Parse(text)
//	id.Alive()                   // false only if that very process is certainly gone
//	holder := proc.ListenerAt(addr)
//
// It knows nothing of the rest of devtun.
package proc
