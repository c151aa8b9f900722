//go:build !unix

package process

import "errors"

// Freeze fails: there is no such thing here.
func (c *Child) Freeze() error { return errors.ErrUnsupported }

// Thaw does nothing.
func (c *Child) Thaw() error { return nil }
