package dns

var roles = map[string]role{
	"flush":    flushRole,
	"full":     fullRole,
	"kill":     killRole,
	"low":      lowRole,
	"mount":    mountRole,
	"nobody":   nobodyRole,
	"readonly": readOnlyRole,
	"reboot":   rebootRole,
}
