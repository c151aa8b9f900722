package live

var helpLines = []string{
	"",
	title.Render("/") + "            show only what contains a text; esc shows all again",
	title.Render("s") + "            sort by the next column",
	title.Render("r") + "            reverse the order",
	title.Render("↑ ↓ j k") + "      select; also page up and down, home, end",
	title.Render("enter") + "        the connections of a service that have ended; esc goes back",
	title.Render("q, ctrl+c") + "    quit",
	"",
	good.Render("●") + " ready   " + middling.Render("○") + " no ready pod, or the origin has the traffic   " +
		bad.Render("✗") + " failed   " + dim.Render("-") + " not forwarded",
	dim.Render("SENT is what clients have sent, RECV what they have got, in bytes."),
}
