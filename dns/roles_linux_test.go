package dns

var roles = map[string]role{
	"alias":    aliasRole,
	"flush":    flushRole,
	"full":     fullRole,
	"kill":     killRole,
	"lease":    leaseRole,
	"low":      lowRole,
	"mount":    mountRole,
	"nobody":   nobodyRole,
	"readonly": readOnlyRole,
	"reboot":   rebootRole,
}
