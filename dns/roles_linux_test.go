package dns

var roles = map[string]role{
	"kill":   killRole,
	"lease":  leaseRole,
	"low":    lowRole,
	"mount":  mountRole,
	"nobody": nobodyRole,
}
