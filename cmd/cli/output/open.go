package output

// Open returns what tells the user of events: as JSON, if that is the format, or as lines.
func Open(streams Streams, format string, verbose bool) Writer {
	if format == "json" {
		return NewJSON(streams.Out, streams.Err)
	}
	return NewLines(streams.Out, streams.Err, streams.Look(verbose))
}

// Look is how lines look on Out.
func (s Streams) Look(verbose bool) Look {
	return Look{Columns: s.Terminal, Colour: s.Colour, Verbose: verbose}
}
