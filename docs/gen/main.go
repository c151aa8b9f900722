// Command gen writes what is generated from the commands' own texts and flags, the
// reference in Markdown and man pages, and what is generated from the structs of events
// and their comments, the tables of the page of events and a JSON Schema, and the tables of
// the page of project files, from their schema. All but man pages is kept in the repository.
//
//	gen DOCS              writes reference/, events.md, events.schema.json and project-file.md in DOCS
//	gen -check DOCS       fails unless they stand there as they would be written
//	gen -man DIR -source "devtun v1.2.3" -date 2006-01-02
//
// Nothing of the machine and no time of day gets into either.
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/devtun/devtun/cmd/cli"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail if something would change")
	man := flag.Bool("man", false, "write man pages")
	source := flag.String("source", "devtun", "version in the man pages' footers")
	date := flag.String("date", "", "date in the man pages' footers")
	flag.Parse()
	if err := run(flag.Arg(0), *check, *man, *source, *date); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string, check, man bool, source, date string) error {
	switch {
	case dir == "":
		return errors.New("name a directory")
	case man:
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return err
		}
		return writeMan(dir, footer{source, date})
	}
	pages, err := reference(cli.Reference())
	if err != nil {
		return err
	}
	events, err := eventFiles(dir)
	if err != nil {
		return err
	}
	projects, err := projectFiles(dir)
	if err != nil {
		return err
	}
	maps.Copy(events, projects)
	referenceDir := filepath.Join(dir, "reference")
	if check {
		return errors.Join(compare(referenceDir, pages), stale(dir, events))
	}
	return errors.Join(write(referenceDir, pages), writeAll(dir, events))
}
