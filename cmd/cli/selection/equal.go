package selection

import (
	"maps"
	"slices"
)

// Equal reports that two selections are of the same services, on the same ports.
func (s *Selection) Equal(other *Selection) bool {
	return s.Namespace == other.Namespace && s.Labels == other.Labels && s.Relay == other.Relay &&
		slices.Equal(s.Targets, other.Targets) &&
		slices.Equal(s.Namespaces, other.Namespaces) && slices.Equal(s.remaps, other.remaps) &&
		maps.Equal(s.Named, other.Named) && maps.Equal(s.Except, other.Except) &&
		maps.EqualFunc(s.Without, other.Without, slices.Equal)
}
