//go:build unix

package dns

func systemHosts() string { return "/etc/hosts" }
