//go:build !linux

package command

import "errors"

// PrivateDir is for Linux.
type PrivateDir struct{}

// NewPrivateDir returns errors.ErrUnsupported.
func NewPrivateDir() (*PrivateDir, error) { return nil, errors.ErrUnsupported }

// Path is empty.
func (*PrivateDir) Path() string { return "" }

// Close does nothing.
func (*PrivateDir) Close() error { return nil }

// PrivateHosts is for Linux.
type PrivateHosts struct{}

// NewPrivateHosts returns errors.ErrUnsupported.
func NewPrivateHosts() (*PrivateHosts, error) { return nil, errors.ErrUnsupported }

// Path is empty.
func (*PrivateHosts) Path() string { return "" }

// Close does nothing.
func (*PrivateHosts) Close() error { return nil }

// CleanPrivate finds nothing.
func CleanPrivate() (removed []string, err error) { return nil, nil }
