package plantest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path"
)

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collect()
	at := r.URL.Path
	switch r.Method {
	case http.MethodPost:
		s.create(w, at, body)
	case http.MethodGet:
		s.get(w, r, at)
	case http.MethodPatch:
		s.patch(w, r, at, body)
	case http.MethodDelete:
		s.delete(w, at, body)
	default:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", r.Method)
	}
}

func (s *Server) create(w http.ResponseWriter, collection string, body []byte) {
	var object Object
	if err := json.Unmarshal(body, &object); err != nil {
		refuse(w, http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	name, _ := object.metadata()["name"].(string)
	at := path.Join(collection, name)
	if s.objects[at] != nil {
		refuse(w, http.StatusConflict, "AlreadyExists", at+" already exists")
		return
	}
	s.put(at, object)
	answer(w, http.StatusCreated, object)
}

func (s *Server) delete(w http.ResponseWriter, at string, body []byte) {
	object := s.objects[at]
	if object == nil {
		refuse(w, http.StatusNotFound, "NotFound", at+" not found")
		return
	}
	var options struct {
		Preconditions struct {
			UID string `json:"uid"`
		} `json:"preconditions"`
	}
	if len(bytes.TrimSpace(body)) > 0 && json.Unmarshal(body, &options) != nil {
		refuse(w, http.StatusBadRequest, "BadRequest", "options")
		return
	}
	if uid := options.Preconditions.UID; uid != "" && uid != object.metadata()["uid"] {
		refuse(w, http.StatusConflict, "Conflict", "the UID in the precondition does not match")
		return
	}
	s.remove(at)
	answer(w, http.StatusOK, Object{"kind": "Status", "apiVersion": "v1", "status": "Success"})
}

func refuse(w http.ResponseWriter, code int, reason, message string) {
	answer(w, code, Object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
		"message": message})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
}
