package ide

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
)

// setting is an element with a value: <option name="NAME" value="VALUE" />, or
// <ELEMENT value="VALUE" /> if there is no name.
type setting struct{ element, name, value string }

// configuration is one run configuration, which has a file of its own.
type configuration struct {
	name, kind string
	attributes string // more of them, of a new one
	must       []setting
	may        []setting // written with a new one only
	before     []step    // run before the launch
	tail       string    // more of its elements, of a new one
}

// step is another run configuration.
type step struct{ name, kind string }

func (s step) text() string {
	return fmt.Sprintf(
		`<option name="RunConfigurationTask" enabled="true" run_configuration_name="%s" run_configuration_type="%s" />`,
		quoted(s.name), s.kind)
}

func (s setting) text() string {
	if s.name == "" {
		return fmt.Sprintf(`<%s value="%s" />`, s.element, quoted(s.value))
	}
	return fmt.Sprintf(`<%s name="%s" value="%s" />`, s.element, s.name, quoted(s.value))
}

func quoted(text string) string {
	var out bytes.Buffer
	_ = xml.EscapeText(&out, []byte(text)) // a buffer takes all
	return string(bytes.ReplaceAll(out.Bytes(), []byte("&#34;"), []byte("&quot;")))
}

// text is the file of a new one.
func (c configuration) text() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out,
		"<component name=\"ProjectRunConfigurationManager\">\n  <configuration default=\"false\" name=\"%s\" "+
			"type=\"%s\"%s>\n", quoted(c.name), c.kind, c.attributes)
	for _, s := range slices.Concat(c.must, c.may) {
		fmt.Fprintf(&out, "    %s\n", s.text())
	}
	out.WriteString(c.tail)
	if len(c.before) == 0 {
		out.WriteString("    <method v=\"2\" />\n")
	} else {
		out.WriteString("    <method v=\"2\">\n")
		for _, s := range c.before {
			fmt.Fprintf(&out, "      %s\n", s.text())
		}
		out.WriteString("    </method>\n")
	}
	out.WriteString("  </configuration>\n</component>\n")
	return out.Bytes()
}

// tag is a start tag of a file, from start to end.
type tag struct {
	xml.StartElement
	start, end int
	path       string // of the elements around it and its own
}

func (t tag) attribute(name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

const within = "/component/configuration"

// merge brings the configuration into the text of its file; nil stands for no file.
func (c configuration) merge(text []byte) ([]byte, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return c.text(), nil
	}
	tags, err := tagsOf(text)
	if err != nil {
		return nil, err
	}
	own := slices.IndexFunc(tags, func(t tag) bool { return t.path == within && t.attribute("name") == c.name })
	if own < 0 || tags[own].attribute("type") != c.kind {
		return nil, &FileError{Line: 1, Column: 1,
			Message: fmt.Sprintf("there is no configuration %q of type %s in it", c.name, c.kind)}
	}
	m := &xmlEdits{text: text, tags: tags[own+1:], behind: tags[own].end}
	closed := bytes.HasSuffix(text[:m.behind], []byte("/>"))
	if closed { // it has nothing in it, and no end tag
		m.edits = append(m.edits, splice{m.behind - len("/>"), m.behind, []byte(">")})
	}
	for _, s := range c.must {
		m.set(s)
	}
	for _, s := range c.before {
		m.before(s)
	}
	if closed {
		m.edits = append(m.edits, splice{m.behind, m.behind, []byte("\n  </configuration>")})
	}
	return spliced(text, m.edits), nil
}

// xmlEdits are the edits of one file.
type xmlEdits struct {
	text   []byte
	tags   []tag // of the configuration's elements
	behind int   // where the configuration's start tag ends
	edits  []splice
}

var valueAttribute = regexp.MustCompile(`\svalue\s*=\s*("[^"]*"|'[^']*')`)

// set makes a setting what it has to be.
func (m *xmlEdits) set(s setting) {
	for _, t := range m.tags {
		if t.path != within+"/"+s.element || t.attribute("name") != s.name {
			continue
		}
		if t.attribute("value") == s.value {
			return
		}
		if at := valueAttribute.FindSubmatchIndex(m.text[t.start:t.end]); at != nil {
			m.edits = append(m.edits, splice{t.start + at[2], t.start + at[3], []byte(`"` + quoted(s.value) + `"`)})
			return
		}
	}
	m.edits = append(m.edits, splice{m.behind, m.behind, []byte("\n    " + s.text())})
}

// before has a step run before the launch.
func (m *xmlEdits) before(s step) {
	method := slices.IndexFunc(m.tags, func(t tag) bool { return t.path == within+"/method" })
	for _, t := range m.tags {
		if t.path == within+"/method/option" && t.attribute("run_configuration_name") == s.name &&
			t.attribute("run_configuration_type") == s.kind {
			return
		}
	}
	switch {
	case method < 0:
		m.edits = append(m.edits,
			splice{m.behind, m.behind, []byte("\n    <method v=\"2\">\n      " + s.text() + "\n    </method>")})
	case bytes.HasSuffix(m.text[:m.tags[method].end], []byte("/>")):
		t := m.tags[method]
		open := bytes.TrimRight(bytes.TrimSuffix(m.text[t.start:t.end], []byte("/>")), " ")
		m.edits = append(m.edits,
			splice{t.start, t.end, slices.Concat(open, []byte(">\n      "+s.text()+"\n    </method>"))})
	default:
		end := m.tags[method].end
		m.edits = append(m.edits, splice{end, end, []byte("\n      " + s.text())})
	}
}

// tagsOf lists all start tags, and fails if the text is no XML.
func tagsOf(text []byte) (tags []tag, err error) {
	decoder := xml.NewDecoder(bytes.NewReader(text))
	paths := []string{""}
	for {
		start := int(decoder.InputOffset())
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && len(tags) > 0 {
			return tags, nil
		}
		if err != nil {
			line, column := decoder.InputPos()
			var syntax *xml.SyntaxError
			message := "there is no element in it"
			if errors.As(err, &syntax) {
				message = syntax.Msg
			}
			return nil, &FileError{Line: line, Column: column, Message: message}
		}
		switch element := token.(type) {
		case xml.StartElement:
			path := paths[len(paths)-1] + "/" + element.Name.Local
			paths = append(paths, path)
			tags = append(tags, tag{element.Copy(), start, int(decoder.InputOffset()), path})
		case xml.EndElement:
			paths = paths[:len(paths)-1]
		}
	}
}
