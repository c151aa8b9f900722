package handover

// LedgerError says that the ledger could not be read or written. Without it nothing is
// handed over: nobody would know what to remove.
type LedgerError struct {
	Doing string // as "write ledger"
	Err   error
}

func (e *LedgerError) Error() string { return e.Doing + ": " + e.Err.Error() }
func (e *LedgerError) Unwrap() error { return e.Err }

// DiskError says that what is handed over could not be written to its place, or not be
// removed from there.
type DiskError struct {
	Doing string // as "write env file"
	Err   error
}

func (e *DiskError) Error() string { return e.Doing + ": " + e.Err.Error() }
func (e *DiskError) Unwrap() error { return e.Err }
