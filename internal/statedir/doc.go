// Package statedir says where devtun notes what must outlast its process: journals,
// records of addresses, what was handed over. It makes no directory.
package statedir
