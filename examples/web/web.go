// Package web is what the example services have in common, so that their own
// files show only what a service does: listen and end gracefully (Run), ask the
// next service (Ask), answer in text (Answer, Fail).
package web

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
)

// Listen defines the -listen flag. The PORT variable, then defaultPort, say
// where to listen if it is not given.
func Listen(defaultPort string) *string {
	return flag.String("listen", ":"+cmp.Or(os.Getenv("PORT"), defaultPort), "`address` to serve on")
}

// Answer says who answers and on which host, and below it, indented, what the
// next service said.
func Answer(w http.ResponseWriter, name, said string) {
	fmt.Fprint(w, whoAmI(name), indent(said))
}

// Fail answers 502: the next service did not answer, or not with success.
func Fail(w http.ResponseWriter, name string, err error) {
	log.Print(err)
	w.WriteHeader(http.StatusBadGateway)
	fmt.Fprint(w, whoAmI(name), indent(err.Error()+"\n"))
}

func whoAmI(name string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	return fmt.Sprintf("%s on %s\n", name, host)
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}
