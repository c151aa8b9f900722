package namecache

// system is that of the directory services and that of mDNSResponder, in
// the documented order. The signal is root's to send, and its daemon takes nothing
// else: "sudo killall -HUP mDNSResponder" is what the vendor tells to do.
func system() cache {
	return cache{commands: [][]string{
		{"/usr/bin/dscacheutil", "-flushcache"},
		{"/usr/bin/killall", "-HUP", "mDNSResponder"},
	}}
}
