package loader

// texts are what the code of every architecture names: the path of the first part, the
// program's name for who looks at its memory, and what is said when something fails.
func texts(directory string) []text {
	return []text{
		{"path", directory + "/0"},
		{"name", Name},
		{"loader", "devtun loader: "},
		{"unreadable", "cannot read "},
		{"no_memory", "out of memory"},
		{"refused", "the kernel refuses to run a program from memory"},
		{"damaged", "the parts are damaged"},
		{"errno", ", errno "},
		{"nothing", ""},
	}
}
