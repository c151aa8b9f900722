// Command service-front is the service that users talk to. It asks
// service-middle.
package main

import (
	"cmp"
	"flag"
	"log"
	"net/http"
	"os"

	"github.com/devtun/devtun/examples/web"
)

func main() {
	listen := web.Listen("8080")
	flag.Parse()
	middle := cmp.Or(os.Getenv("SERVICE_MIDDLE_URL"), "http://service-middle:8080/")
	if err := web.Run(*listen, front{middle}); err != nil {
		log.Fatal(err)
	}
}

type front struct {
	middle string // URL
}

func (f front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	said, err := web.Ask(r, f.middle)
	if err != nil {
		web.Fail(w, "service-front", err)
		return
	}
	web.Answer(w, "service-front", said) // a breakpoint here shows what the cluster has said
}
