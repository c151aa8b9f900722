package dns

// newline ends the lines of a file that has none yet.
const newline = "\r\n"
