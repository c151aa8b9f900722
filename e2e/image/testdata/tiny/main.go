// Command tiny is what the tests put into images: a program that needs nothing.
package main

func main() {}
