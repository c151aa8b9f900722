// Package sessions shows, ends and reads the log of the sessions of this user's that run:
// 'devtun status', 'devtun down' and 'devtun logs'. It holds nothing itself: it finds
// sessions by package background, and asks them.
package sessions
