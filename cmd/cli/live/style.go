package live

import "charm.land/lipgloss/v2"

// The styles. Colours are the terminal's own sixteen, so that they fit its theme;
// without colours the attributes remain, and every state has a sign of its own.
var (
	plain    = lipgloss.NewStyle()
	good     = lipgloss.NewStyle().Foreground(lipgloss.Color("2"))
	middling = lipgloss.NewStyle().Foreground(lipgloss.Color("3"))
	bad      = lipgloss.NewStyle().Foreground(lipgloss.Color("1"))
	dim      = lipgloss.NewStyle().Faint(true)
	title    = lipgloss.NewStyle().Bold(true)
	chosen   = lipgloss.NewStyle().Reverse(true)
)
