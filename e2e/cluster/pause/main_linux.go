// Command pause is PID 1 of every pod of the local cluster: it holds the pod's
// namespaces open and does nothing until it is told to end.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	signal.Ignore(syscall.SIGCHLD) // the kernel reaps the pod's orphans
	<-end
}
