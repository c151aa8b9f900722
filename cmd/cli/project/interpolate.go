package project

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// DotEnv is the file beside a project file whose variables are for ${NAME} in it.
const DotEnv = ".env"

// variables are those of this process, and of .env in the folder, as Docker Compose has
// them. A .env that the project itself has written is none of them: it would have the
// container's variables here, and only while the session stands.
func (d *document) variables(folder string) (func(string) (string, bool), error) {
	path := filepath.Join(folder, DotEnv)
	if folder == "" || d.writes(DotEnv) {
		return os.LookupEnv, nil
	}
	values, err := dotenv.ReadWithLookup(os.LookupEnv, path)
	if errors.Is(err, fs.ErrNotExist) {
		return os.LookupEnv, nil
	}
	if err != nil {
		return nil, &Error{File: path, Line: 1, Column: 1, Message: err.Error(), Hint: "write NAME=VALUE, one a line"}
	}
	return func(name string) (string, bool) {
		if value, set := os.LookupEnv(name); set {
			return value, true
		}
		value, set := values[name]
		return value, set
	}, nil
}

// writes reports that the project has an environment written to a file, as it is said
// without variables.
func (d *document) writes(file string) (found bool) {
	for _, root := range d.roots {
		if root == nil {
			continue
		}
		ast.Walk(visitor(func(node ast.Node) {
			pair, ok := node.(*ast.MappingValueNode)
			if !ok {
				return
			}
			key := pair.Key.GetToken().Value
			value, ok := pair.Value.(*ast.StringNode)
			found = found || ok && (key == "envFile" || key == "envJson") && filepath.Clean(value.Value) == file
		}), root)
	}
	return found
}

// plainVariable is one that stands for its value alone, or an escaped dollar sign.
var plainVariable = regexp.MustCompile(`\$\$|\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})`)

// interpolate puts the values of variables into a value's texts: $NAME, ${NAME},
// ${NAME:-default}, ${NAME:?message} and $$ for a dollar sign, as Docker Compose does. It
// returns what the value is then.
func (d *document) interpolate(node ast.Node, variables func(string) (string, bool)) (_ ast.Node, err error) {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, pair := range n.Values {
			if pair.Value, err = d.interpolate(pair.Value, variables); err != nil {
				return nil, err
			}
		}
	case *ast.SequenceNode:
		for i := range n.Values {
			if n.Values[i], err = d.interpolate(n.Values[i], variables); err != nil {
				return nil, err
			}
		}
	case *ast.AnchorNode:
		n.Value, err = d.interpolate(n.Value, variables)
	case *ast.LiteralNode:
		n.Value.Value, err = d.substitute(n.Value, variables)
	case *ast.StringNode:
		before := n.Value
		n.Value, err = d.substitute(n, variables)
		if n.Value != before && n.Token.Type == token.StringType && (n.Value == "true" || n.Value == "false") {
			truth := *n.Token
			truth.Value = n.Value
			return ast.Bool(&truth), err
		}
	}
	return node, err
}

// substitute is a text with the values of its variables.
func (d *document) substitute(node *ast.StringNode, variables func(string) (string, bool)) (string, error) {
	value, err := template.SubstituteWithOptions(node.Value, variables, template.WithoutLogging)
	var missing *template.MissingRequiredError
	switch {
	case errors.As(err, &missing):
		return "", d.in(node, "set it in the environment, or in "+DotEnv+" beside the file", "$%s is needed: %s",
			missing.Variable, cmp.Or(missing.Reason, "it is not set"))
	case err != nil:
		return "", d.in(node, "write ${NAME}, ${NAME:-default} or ${NAME:?message}, and $$ for a dollar sign",
			"%q has no variable where there should be one", node.Value)
	}
	for _, match := range plainVariable.FindAllStringSubmatch(node.Value, -1) {
		name := match[1] + match[2]
		if _, set := variables(name); name != "" && !set {
			d.warnings = append(d.warnings,
				fmt.Sprintf("%v: $%s is not set: an empty text stands in its place", d.position(node.Token), name))
		}
	}
	return value, nil
}
