package hostsfile

var roles = map[string]role{
	"full":     fullRole,
	"kill":     killRole,
	"mount":    mountRole,
	"nobody":   nobodyRole,
	"readonly": readOnlyRole,
	"reboot":   rebootRole,
}
