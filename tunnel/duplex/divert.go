package duplex

import (
	"io"
	"sync/atomic"
)

// inFullFlow, in bytes, is how much comes at once where much comes.
const inFullFlow = smallBuffer

// diverter is a source that can give what comes to another than who reads: to is called by the
// goroutine in which it comes, while the reader waits, with what is to say how much of it was
// taken. Nil ends that; to is not called any more then.
type diverter interface{ Divert(to func(p []byte) int) }

// nowWriter is a destination that can write without waiting: WriteNow returns how much of p there
// was room for, 0 if it fails, which a Write tells then.
type nowWriter interface{ WriteNow(p []byte) int }

// divert has what comes from a source go straight on, past this goroutine and what it costs to
// wake it, as long as there is room for it. End returns how many bytes did.
func divert(to io.Writer, from lender, count *atomic.Int64) (end func() int64) {
	source, can := from.(diverter)
	destination, could := to.(nowWriter)
	if !can || !could {
		return func() int64 { return 0 }
	}
	var n int64
	source.Divert(func(p []byte) int {
		put := destination.WriteNow(p)
		n += int64(put)
		count.Add(int64(put))
		return put
	})
	return func() int64 { source.Divert(nil); return n }
}
