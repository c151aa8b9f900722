//go:build !linux

package hostsfile

var roles = map[string]role{}
