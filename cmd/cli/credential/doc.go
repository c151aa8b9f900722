// Package credential has the credentials that exec plugins give: programs that a
// kubeconfig names, by the documented protocol ExecCredential
// (client.authentication.k8s.io). Each run of one may cost a person's time: a browser
// tab, a PIN, a touch of a key.
//
//	gate := credential.NewGate()
//	defer gate.Close()
//	login, err := gate.Login(config)  // nil if config names no plugin
//	login.Requests(transportConfig)   // its requests carry the credentials
//
// client-go runs a plugin itself, for each request that finds no valid credential, as
// often as there are requests, and holds a lock that no context ends. So plugins are
// run here: one at a time in the whole process, one attempt for all who wait for it,
// and after a failure later and later (login.go, pace.go). A request waits no longer
// than its context, and the end of the process is the plugin's (gate.go). A plugin has
// the terminal only while nothing else has it (cover.go).
package credential
