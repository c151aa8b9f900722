//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "suite: these tests need Linux; elsewhere 'go test' runs those of a package")
	os.Exit(1)
}
