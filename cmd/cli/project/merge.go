package project

import (
	"github.com/goccy/go-yaml/ast"
)

// merged is a value with another one over it: mappings key by key, and lists of workloads
// workload by workload; all else is replaced.
func merged(base, over ast.Node) ast.Node {
	if over == nil {
		return base
	}
	switch b := base.(type) {
	case *ast.AnchorNode:
		b.Value = merged(b.Value, over)
		return b
	case *ast.MappingNode:
		if o, ok := over.(*ast.MappingNode); ok {
			mergeMapping(b, o)
			return b
		}
	case *ast.SequenceNode:
		if o, ok := over.(*ast.SequenceNode); ok && ofWorkloads(b) && ofWorkloads(o) {
			mergeWorkloads(b, o)
			return b
		}
	}
	return over
}

func mergeMapping(base, over *ast.MappingNode) {
	for _, pair := range over.Values {
		if own := pairOf(base, pair.Key.GetToken().Value); own != nil {
			own.Value = merged(own.Value, pair.Value)
			continue
		}
		base.Values = append(base.Values, pair)
	}
}

// pairOf is the pair of a key in a mapping; nil if there is none.
func pairOf(node ast.Node, key string) *ast.MappingValueNode {
	if mapping, ok := node.(*ast.MappingNode); ok {
		for _, pair := range mapping.Values {
			if pair.Key.GetToken().Value == key {
				return pair
			}
		}
	}
	return nil
}

// ofWorkloads reports that each of a list has a workload.
func ofWorkloads(list *ast.SequenceNode) bool {
	for _, item := range list.Values {
		if pairOf(item, "workload") == nil {
			return false
		}
	}
	return true
}

func mergeWorkloads(base, over *ast.SequenceNode) {
	for _, item := range over.Values {
		found := false
		for i, own := range base.Values {
			if found = sameWorkload(own, item); found {
				base.Values[i] = merged(own, item)
				break
			}
		}
		if !found {
			base.Values = append(base.Values, item)
		}
	}
}

// sameWorkload reports that what goes over something names the same workload, in the same
// namespace and container if it names those.
func sameWorkload(base, over ast.Node) bool {
	for _, key := range []string{"workload", "namespace", "container"} {
		named := pairOf(over, key)
		if named == nil {
			continue
		}
		own := pairOf(base, key)
		if key == "container" && own == nil {
			continue // it is given one
		}
		if own == nil || own.Value.String() != named.Value.String() {
			return false
		}
	}
	return true
}
