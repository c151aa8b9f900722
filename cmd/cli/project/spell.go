package project

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
	"github.com/mattn/go-shellwords"
)

// spellOut has all that runs written in one way, of those that Docker Compose knows: the
// command as a list of words, in a mapping, and the environment as a mapping.
func (d *document) spellOut(root ast.Node, variables func(string) (string, bool)) error {
	runs := func(holder ast.Node) error {
		pair := pairOf(holder, "run")
		if pair == nil {
			return nil
		}
		var err error
		pair.Value, err = d.spellRun(pair.Value, variables)
		return err
	}
	if intercepts := pairOf(root, "intercepts"); intercepts != nil {
		if list, ok := intercepts.Value.(*ast.SequenceNode); ok {
			for _, item := range list.Values {
				if err := runs(item); err != nil {
					return err
				}
			}
		}
	}
	named := pairOf(root, "run")
	if named == nil {
		return nil
	}
	processes, ok := named.Value.(*ast.MappingNode)
	if !ok {
		if _, null := named.Value.(*ast.NullNode); null {
			return nil
		}
		return d.in(named.Value, "give it a name: run: {NAME: COMMAND}; or write run: under an intercept",
			"a mapping of names to commands is wanted here")
	}
	for _, pair := range processes.Values {
		var err error
		if pair.Value, err = d.spellRun(pair.Value, variables); err != nil {
			return err
		}
	}
	return nil
}

// spellRun spells out one of what runs.
func (d *document) spellRun(node ast.Node, variables func(string) (string, bool)) (ast.Node, error) {
	switch node.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.SequenceNode:
		command, err := d.spellCommand(node)
		if err != nil {
			return nil, err
		}
		return mapping(node.GetToken(), pair("command", node.GetToken(), command)), nil
	}
	var err error
	if command := pairOf(node, "command"); command != nil {
		if command.Value, err = d.spellCommand(command.Value); err != nil {
			return nil, err
		}
	}
	if env := pairOf(node, "env"); env != nil {
		env.Value = spellEnv(env.Value, variables)
	}
	return node, nil
}

// spellCommand makes a list of words of a text, as a shell would without doing anything
// else.
func (d *document) spellCommand(node ast.Node) (ast.Node, error) {
	var line string
	switch n := node.(type) {
	case *ast.StringNode:
		line = n.Value
	case *ast.LiteralNode:
		line = n.Value.Value
	default:
		return node, nil
	}
	const hint = `no shell reads it; to have one, write [sh, -c, "COMMAND"]`
	parser := shellwords.NewParser()
	words, err := parser.Parse(line)
	switch {
	case err != nil:
		return nil, d.in(node, "close its quotes; "+hint, "%q cannot be split into words: %v", line, err)
	case parser.Position >= 0 && parser.Position < len([]rune(line)):
		return nil, d.in(node, hint, "%q wants a shell", line)
	}
	list := ast.Sequence(node.GetToken(), true)
	for _, word := range words {
		list.Values = append(list.Values, text(word, node.GetToken()))
	}
	return list, nil
}

// spellEnv makes a mapping of texts. What has no value has that of this process; if there is
// none, it is left out.
func spellEnv(node ast.Node, variables func(string) (string, bool)) ast.Node {
	var pairs []*ast.MappingValueNode
	inherit := func(name string, at *token.Token) {
		if value, set := variables(name); set {
			pairs = append(pairs, pair(name, at, text(value, at)))
		}
	}
	switch n := node.(type) {
	case *ast.SequenceNode:
		for _, item := range n.Values {
			entry, ok := item.(*ast.StringNode)
			if !ok {
				return node
			}
			name, value, set := strings.Cut(entry.Value, "=")
			if !set {
				inherit(name, entry.Token)
				continue
			}
			pairs = append(pairs, pair(name, entry.Token, text(value, entry.Token)))
		}
	case *ast.MappingNode:
		for _, p := range n.Values {
			at := p.Value.GetToken()
			switch v := p.Value.(type) {
			case *ast.NullNode:
				inherit(p.Key.GetToken().Value, p.Key.GetToken())
				continue
			case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
				p.Value = text(v.GetToken().Value, at)
			}
			pairs = append(pairs, p)
		}
	default:
		return node
	}
	return mapping(node.GetToken(), pairs...)
}

// text, pair and mapping are nodes that stand where something else does in the file.
func text(value string, at *token.Token) *ast.StringNode {
	return ast.String(token.New(value, value, at.Position))
}

func pair(key string, at *token.Token, value ast.Node) *ast.MappingValueNode {
	return ast.MappingValue(token.New(":", ":", at.Position), text(key, at), value)
}

func mapping(at *token.Token, pairs ...*ast.MappingValueNode) *ast.MappingNode {
	return ast.Mapping(token.New("{", "{", at.Position), true, pairs...)
}
