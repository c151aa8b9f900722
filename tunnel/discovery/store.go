package discovery

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// store holds what the reflectors delivered, in the reduced form, and which
// services that changed.
type store struct {
	mu       sync.Mutex
	specs    map[Key]*spec
	parts    map[Key]map[string]*slice // of each service, by slice name
	owners   map[Key]Key               // the service of each slice
	targets  map[Key]*targets
	dirty    map[Key]bool
	unsynced int           // reflectors that have yet to deliver all
	wake     chan struct{} // holds a token when there may be changes
}

func newStore(reflectors int) *store {
	return &store{
		specs: make(map[Key]*spec), parts: make(map[Key]map[string]*slice), owners: make(map[Key]Key),
		targets: make(map[Key]*targets), dirty: make(map[Key]bool), unsynced: reflectors, wake: make(chan struct{}, 1),
	}
}

// next waits for changes; it reports false when ctx has ended.
func (s *store) next(ctx context.Context) (Changes, bool) {
	for {
		select {
		case <-ctx.Done():
			return nil, false
		case <-s.wake:
		}
		if changes := s.take(); changes != nil {
			return changes, true
		}
	}
}

// take returns what changed since the last call, nil if nothing did or not
// everything is there yet.
func (s *store) take() Changes {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsynced > 0 {
		return nil
	}
	first := s.unsynced == 0
	s.unsynced = -1
	if !first && len(s.dirty) == 0 {
		return nil
	}
	changes := make(Changes, len(s.dirty))
	for key := range s.dirty {
		changes[key] = nil
		if spec, ok := s.specs[key]; ok {
			var parts []*slice
			for _, part := range s.parts[key] {
				parts = append(parts, part)
			}
			changes[key] = assemble(spec, parts)
		} else if targets, ok := s.targets[key]; ok {
			changes[key] = targets.service(key)
		}
	}
	clear(s.dirty)
	return changes
}

// wakeUp wakes whoever waits for changes.
func (s *store) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// services and slices are the store as the reflector of one kind in one
// namespace sees it.
func (s *store) services(namespace string) cache.ReflectorStore {
	return &view{store: s, namespace: namespace, put: s.putService, drop: s.dropService, keys: s.serviceKeys}
}

func (s *store) slices(namespace string) cache.ReflectorStore {
	return &view{store: s, namespace: namespace, put: s.putSlice, drop: s.dropSlice, keys: s.sliceKeys}
}

func (s *store) putService(object any) Key {
	spec := specOf(object.(*corev1.Service))
	s.specs[spec.Key] = spec
	s.dirty[spec.Key] = true
	return spec.Key
}

func (s *store) dropService(key Key) {
	if _, ok := s.specs[key]; ok {
		delete(s.specs, key)
		s.dirty[key] = true
	}
}

func (s *store) serviceKeys() (keys []Key) {
	for key := range s.specs {
		keys = append(keys, key)
	}
	return keys
}

func (s *store) putSlice(object any) Key {
	meta := object.(*discoveryv1.EndpointSlice)
	key := Key{meta.Namespace, meta.Name}
	s.dropSlice(key) // it may have been another service's
	part := sliceOf(meta)
	if part == nil {
		return key
	}
	if s.parts[part.service] == nil {
		s.parts[part.service] = make(map[string]*slice)
	}
	s.parts[part.service][key.Name] = part
	s.owners[key] = part.service
	s.dirty[part.service] = true
	return key
}

func (s *store) dropSlice(key Key) {
	owner, ok := s.owners[key]
	if !ok {
		return
	}
	delete(s.owners, key)
	delete(s.parts[owner], key.Name)
	if len(s.parts[owner]) == 0 {
		delete(s.parts, owner)
	}
	s.dirty[owner] = true
}

func (s *store) sliceKeys() (keys []Key) {
	for key := range s.owners {
		keys = append(keys, key)
	}
	return keys
}

// view makes a cache.ReflectorStore of three functions, called with the store
// locked.
type view struct {
	store     *store
	namespace string // "" for all
	put       func(object any) Key
	drop      func(Key)
	keys      func() []Key
	synced    bool
}

func (v *view) Add(object any) error    { return v.change(func() { v.put(object) }) }
func (v *view) Update(object any) error { return v.change(func() { v.put(object) }) }
func (v *view) Resync() error           { return nil }

func (v *view) Delete(object any) error {
	key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
	if err != nil {
		return fmt.Errorf("delete from store: %w", err)
	}
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return fmt.Errorf("delete from store: %w", err)
	}
	return v.change(func() { v.drop(Key{namespace, name}) })
}

// Replace takes the result of a list: what is not in it is gone.
func (v *view) Replace(objects []any, _ string) error {
	return v.change(func() {
		listed := make(map[Key]bool, len(objects))
		for _, object := range objects {
			listed[v.put(object)] = true
		}
		for _, key := range v.keys() {
			if !listed[key] && (v.namespace == "" || v.namespace == key.Namespace) {
				v.drop(key)
			}
		}
		if !v.synced {
			v.synced = true
			v.store.unsynced--
		}
	})
}

// change runs f with the store locked and wakes whoever waits for changes.
func (v *view) change(f func()) error {
	v.store.mu.Lock()
	defer v.store.mu.Unlock()
	f()
	v.store.wakeUp()
	return nil
}
