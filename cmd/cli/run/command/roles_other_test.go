//go:build !linux

package command

var roles map[string]role
