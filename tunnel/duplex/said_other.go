//go:build !unix

package duplex

// Said is known where connections are drained, which is on Linux.
func (c TCP) Said() bool { return false }
