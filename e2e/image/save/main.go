// Command save builds images around Go programs and writes them to an archive:
//
//	go build -C e2e -o ../bin/tools/ ./image/save
//	bin/tools/save -o out.tar devtun.test/service-front:dev=./examples/service-front …
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/devtun/devtun/e2e/image"
)

func main() {
	out := flag.String("o", "images.tar", "`file` to write")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: save [-o FILE] NAME:TAG=PACKAGE…")
		flag.PrintDefaults()
	}
	flag.Parse()

	specs := make([]image.Spec, 0, flag.NArg())
	for _, arg := range flag.Args() {
		name, pkg, ok := strings.Cut(arg, "=")
		if !ok {
			flag.Usage()
			os.Exit(2)
		}
		specs = append(specs, image.Spec{Name: name, Package: pkg})
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := image.Save(ctx, *out, specs...); err != nil {
		fmt.Fprintln(os.Stderr, "save:", err)
		os.Exit(1)
	}
}
