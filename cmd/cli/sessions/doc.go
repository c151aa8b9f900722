// Package sessions shows, ends and reads the log of the sessions of this user's that run, and
// starts their programs again: 'devtun status', 'devtun down', 'devtun logs' and 'devtun
// restart'. It holds nothing itself: it finds sessions by package background, and asks them.
package sessions
