package firstproject

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/project"
)

const (
	// schemaName is the file beside a project file by which editors know what may stand in
	// it, also without a network.
	schemaName = "devtun.schema.json"

	// schemaURL is what the schema calls itself.
	schemaURL = "https://raw.githubusercontent.com/devtun/devtun/main/cmd/cli/project/schema.json"
)

// NewSchema is `devtun schema`.
func NewSchema(streams output.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the project file",
		Long: `Print the JSON Schema of devtun.yaml, by which editors complete it and find faults in it.
'devtun init' writes it beside the project file, which names it in its first line; this
command writes that file anew after an update of devtun.`,
		Example: `  devtun schema > ` + schemaName,
		Args:    arguments.None,
		RunE: func(*cobra.Command, []string) error {
			_, err := streams.Out.Write(project.Schema)
			return err
		},
	}
}

// writeSchema has the schema beside a project file, and returns what the file's first line is
// to call it: by its address where somebody else's file has its name.
func writeSchema(beside string) (string, error) {
	path := filepath.Join(filepath.Dir(beside), schemaName)
	text, err := os.ReadFile(path)
	switch {
	case err == nil && !bytes.Contains(text, []byte(schemaURL)):
		return schemaURL, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	return schemaName, os.WriteFile(path, project.Schema, 0o644)
}
