// Command suite runs this project's tests, says what took how long and what failed
// how often, and wants them to leave nothing behind. It is what make's targets
// test, unit, e2e and soak call:
//
//	suite test             unit and end-to-end tests: every promise once
//	suite unit             what needs no cluster
//	suite e2e              what needs one
//	suite soak             what waits for long or is repeated often
//
// With -runs each test is run so often, and what failed stays in bin/failed. An
// end-to-end test is a process in a machine of its own (package testbed), several
// at a time, those that take long first. A test whose comment says
//
//	//e2e:alone
//
// measures, and runs after all others, by itself; one whose comment says
//
//	//e2e:disturbs
//
// stops parts of the cluster, and runs before all others, by itself as well, but for
// the unit tests. For one whose comment says
//
//	//e2e:vscode
//
// VS Code is installed, unless it is there; for //e2e:servers Debian's Redis and NATS.
package main
