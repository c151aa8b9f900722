// Package arrival tells when the first connection comes to one of many listeners, with one
// goroutine for all of them.
//
//	waiter := arrival.New()
//	if !waiter.Wait(listener, serve) {
//		serve()
//	}
//
// A goroutine that waits in Accept costs 4 KB and a turn of each collection, and most of
// thousands of listeners are never connected to. Where the system cannot do it, or will
// not, Wait says so.
package arrival
