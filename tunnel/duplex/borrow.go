package duplex

import (
	"sync"
	"sync/atomic"
)

// borrower lends a buffer for a direction in full flow, until it is given back.
type borrower func() (buffer []byte, giveBack func())

func borrowLarge() ([]byte, func()) {
	buffer := largeBuffers.Get().(*[largeBuffer]byte)
	return buffer[:], func() { largeBuffers.Put(buffer) }
}

// BorrowLean lends a buffer for a direction in full flow, a large one while there are few,
// until it is given back.
func BorrowLean() (buffer []byte, giveBack func()) {
	if leanLent.Add(1) <= leanLarge {
		buffer, giveBack := borrowLarge()
		return buffer, func() { giveBack(); leanLent.Add(-1) }
	}
	leanLent.Add(-1)
	lean := leanBuffers.Get().(*[leanBuffer]byte)
	return lean[:], func() { leanBuffers.Put(lean) }
}

var (
	leanLent     atomic.Int32 // large buffers
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
	leanBuffers  = sync.Pool{New: func() any { return new([leanBuffer]byte) }}
)
