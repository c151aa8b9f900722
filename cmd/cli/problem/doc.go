// Package problem says of any error what failed, what to do about it, and what
// devtun's process ends with.
//
//	told := problem.Of(err)
//	told.Print(os.Stderr)
//	os.Exit(int(told.Code))
//
// Of knows the errors of the packages below the commands. A command makes a Problem
// itself where the hint is its own affair (Usage, for what was typed), or an error that
// says what to do about it (Advice).
package problem
