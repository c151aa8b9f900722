// Command service-back is the last of the chain: it answers and asks nobody. With -clock
// it tells the time too, by UDP.
// The pods of service-store run it too, under their own name.
package main

import (
	"flag"
	"log"
	"net"
	"net/http"

	"github.com/devtun/devtun/examples/web"
)

func main() {
	listen := web.Listen("8080")
	name := flag.String("name", "service-back", "`name` to answer with")
	clock := flag.String("clock", "", "`address` at which to tell the time by UDP")
	flag.Parse()
	if *clock != "" {
		conn, err := net.ListenPacket("udp", *clock)
		if err != nil {
			log.Fatal(err)
		}
		go tellTime(conn, *name)
	}
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
