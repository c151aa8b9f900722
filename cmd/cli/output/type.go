package output

// Type implements Event, as do the others.
func (Starting) Type() string    { return "starting" }
func (Ready) Type() string       { return "ready" }
func (Note) Type() string        { return "note" }
func (Progress) Type() string    { return "progress" }
func (Warning) Type() string     { return "warning" }
func (Error) Type() string       { return "error" }
func (Stopped) Type() string     { return "stopped" }
func (Forwarding) Type() string  { return "forwarding" }
func (Service) Type() string     { return "service" }
func (Connection) Type() string  { return "connection" }
func (Relay) Type() string       { return "relay" }
func (Intercept) Type() string   { return "intercept" }
func (Traffic) Type() string     { return "traffic" }
func (Local) Type() string       { return "local" }
func (Agent) Type() string       { return "agent" }
func (Intercepted) Type() string { return "intercepted" }
func (Request) Type() string     { return "request" }
