//go:build !darwin

package loopback

// systemLoopback is nil: here all of 127/8 answers, always.
func systemLoopback() loopback { return nil }
