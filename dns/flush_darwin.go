package dns

// systemCache is that of the directory services and that of mDNSResponder, in
// the documented order. The signal is root's to send, and its daemon has no other
// door: "sudo killall -HUP mDNSResponder" is what the vendor tells to do.
func systemCache() cache {
	return cache{commands: [][]string{
		{"/usr/bin/dscacheutil", "-flushcache"},
		{"/usr/bin/killall", "-HUP", "mDNSResponder"},
	}}
}
