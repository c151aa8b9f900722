//go:build !linux

package dns

var roles = map[string]role{}
