// Command service-back is the last of the chain: it answers and asks nobody.
// The pods of service-store run it too, under their own name.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/devtun/devtun/examples/web"
)

func main() {
	listen := web.Listen("8080")
	name := flag.String("name", "service-back", "`name` to answer with")
	flag.Parse()
	if err := web.Run(*listen, back{*name}); err != nil {
		log.Fatal(err)
	}
}

type back struct {
	name string
}

func (b back) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	web.Answer(w, b.name, "")
}
