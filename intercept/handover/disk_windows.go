package handover

// syncDir is the file system's own business here.
func syncDir(string) error { return nil }
