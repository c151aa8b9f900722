package server

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

// store has keys in memory, and loses them with its process, as a cache does.
type store struct {
	mu   sync.Mutex
	keys map[int]bool
}

// add adds as many keys as n says.
func (s *store) add(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil || n < 0 {
		http.Error(w, "n: want a number of keys", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.keys[len(s.keys)] = true
	}
	fmt.Fprintf(w, "%d keys\n", len(s.keys))
}

func (s *store) count(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(w, "%d keys\n", len(s.keys))
}

// tellVariables tells the names of the environment's variables.
func tellVariables(w http.ResponseWriter, _ *http.Request) {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		fmt.Fprintln(w, name)
	}
}
