package selection

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Whoever gives a selection another field decides here whether it matters.
func TestSelectionsOfTheSameServices(t *testing.T) {
	web := discovery.Key{Namespace: "demo", Name: "web"}
	changes := map[string]func(*Selection){
		"Namespace":  func(s *Selection) { s.Namespace = "shop" },
		"Namespaces": func(s *Selection) { s.Namespaces = []string{"demo"} },
		"Named":      func(s *Selection) { s.Named = map[discovery.Key]bool{web: true} },
		"Except":     func(s *Selection) { s.Except = map[discovery.Key]bool{web: true} },
		"Without":    func(s *Selection) { s.Without = map[discovery.Key][]int{web: {80}} },
		"Labels":     func(s *Selection) { s.Labels = "tier=backend" },
		"remaps":     func(s *Selection) { s.remaps = []forwards.Remap{{Service: web, Local: 8080, Remote: "80"}} },
		"Targets":    func(s *Selection) { s.Targets = []discovery.Target{{Key: web, Port: 80}} },
		"Relay":      func(s *Selection) { s.Relay = true },
		"homes":      nil, // of the names, which have been read
	}
	for field := range reflect.TypeFor[Selection]().Fields() {
		change, known := changes[field.Name]
		require.True(t, known, field.Name)
		if change == nil {
			continue
		}
		a, b := &Selection{}, &Selection{}
		require.True(t, a.Equal(b))
		change(a)
		require.False(t, a.Equal(b), field.Name)
		change(b)
		require.True(t, a.Equal(b), field.Name)
	}
}
