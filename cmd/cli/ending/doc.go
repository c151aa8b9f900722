// Package ending says why a command ends, and what of that is an error: a signal or
// 'devtun down', which are what the user wants, or a failure, which is the cause of the
// command's context.
package ending
