package dns

var roles = map[string]role{
	"full":     fullRole,
	"kill":     killRole,
	"low":      lowRole,
	"mount":    mountRole,
	"nobody":   nobodyRole,
	"readonly": readOnlyRole,
	"reboot":   rebootRole,
}
