// Command service-middle stands between service-front and service-back. It is
// the one to debug: set a breakpoint where the comment says so.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/devtun/devtun/examples/web"
)

func main() {
	listen := web.Listen("9090")
	flag.Parse()
	back := cmp.Or(os.Getenv("SERVICE_BACK_URL"), "http://service-back/")
	if err := web.Run(*listen, &middle{back: back}); err != nil {
		log.Fatal(err)
	}
}

type middle struct {
	back     string // URL
	requests atomic.Int64
}

func (m *middle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	number := m.requests.Add(1)
	said, err := web.Ask(r, m.back)
	if err != nil {
		web.Fail(w, "service-middle", err)
		return
	}
	who, _, _ := strings.Cut(said, "\n")
	note := fmt.Sprintf("request %d here, answered by %s", number, who)
	log.Print(note) // a breakpoint here shows number, said, who and note
	web.Answer(w, "service-middle", said)
}
