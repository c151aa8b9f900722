package objects

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// ByName are objects of one kind and namespace, by name.
type ByName map[string]runtime.Object

// store is a Reflector's, and tells of each change.
type store struct {
	cache.Store
	changed func(ByName)
}

func newStore(changed func(ByName)) store {
	return store{cache.NewStore(nameOf), changed}
}

func nameOf(object any) (string, error) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return "", err
	}
	return accessor.GetName(), nil
}

func (s store) Add(object any) error    { return s.tell(s.Store.Add(object)) }
func (s store) Update(object any) error { return s.tell(s.Store.Update(object)) }
func (s store) Delete(object any) error { return s.tell(s.Store.Delete(object)) }

func (s store) Replace(objects []any, version string) error {
	return s.tell(s.Store.Replace(objects, version))
}

// tell tells of a change, if there was one.
func (s store) tell(err error) error {
	if err != nil {
		return err
	}
	all := make(ByName)
	for _, name := range s.ListKeys() {
		if object, ok, _ := s.GetByKey(name); ok { // of a name there is no error
			all[name] = object.(runtime.Object)
		}
	}
	s.changed(all)
	return nil
}
