package ide

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// entry is one of devtun's in a list of objects, which is known by one of its members.
type entry struct {
	list string // the list's name in the file
	key  string // the member
	// must are the members that have to be as they are here. The key is the first.
	must object
	// may are those that the user may change: they are written with a new entry only.
	may object
}

var mark = []byte("\xef\xbb\xbf") // of byte order, which Windows programs write

// merge puts entries into the text of a JSON file with comments; nil stands for no
// file, which head begins.
func merge(text []byte, head object, entries []entry) ([]byte, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return append(encode(whole(head, entries), "", "\t"), '\n'), nil
	}
	text, marked := bytes.CutPrefix(text, mark)
	text, err := edit(text, func(f *file, root hujson.Value, top *hujson.Object) error {
		head = slices.DeleteFunc(head, func(m member) bool { return find(top, m.name) != nil })
		f.addMember(top, root, 1, head...)
		return nil
	})
	for _, e := range entries {
		if err != nil {
			return nil, err
		}
		text, err = edit(text, e.put)
	}
	if err != nil {
		return nil, err
	}
	if marked {
		text = append(slices.Clone(mark), text...)
	}
	return text, nil
}

// whole is a file that holds the entries alone.
func whole(head object, entries []entry) object {
	for _, e := range entries {
		i := slices.IndexFunc(head, func(m member) bool { return m.name == e.list })
		if i < 0 {
			i, head = len(head), append(head, member{e.list, []object(nil)})
		}
		head[i].value = append(head[i].value.([]object), e.whole())
	}
	return head
}

func (e entry) whole() object { return append(slices.Clone(e.must), e.may...) }

// file is a text and what it means.
type file struct {
	text    []byte
	newline string
	unit    string // of indentation
	edits   []splice
}

// edit parses a file, which is to be an object, and has it edited.
func edit(text []byte, by func(*file, hujson.Value, *hujson.Object) error) ([]byte, error) {
	f := &file{text: text, newline: "\n", unit: "\t"}
	root, err := hujson.Parse(text)
	if err != nil {
		return nil, f.broken(err)
	}
	top, ok := root.Value.(*hujson.Object)
	if !ok {
		return nil, f.fault(root.StartOffset, "an object is wanted here, in braces")
	}
	f.style(top)
	err = by(f, root, top)
	return spliced(text, f.edits), err
}

// put makes the entry what it has to be, or adds it.
func (e entry) put(f *file, root hujson.Value, top *hujson.Object) error {
	list := find(top, e.list)
	if list == nil {
		f.addMember(top, root, 1, member{e.list, []object{e.whole()}})
		return nil
	}
	elements, ok := list.Value.(*hujson.Array)
	if !ok {
		return f.fault(list.StartOffset, fmt.Sprintf("%q is to be a list, in brackets", e.list))
	}
	for i := range elements.Elements {
		if there, ok := elements.Elements[i].Value.(*hujson.Object); ok && is(find(there, e.key), e.must[0].value) {
			f.bring(there, elements.Elements[i], e.must)
			return nil
		}
	}
	f.addElement(elements, *list, e.whole())
	return nil
}

// bring makes an object's members what they have to be.
func (f *file) bring(o *hujson.Object, at hujson.Value, must object) {
	var missing []member
	for _, m := range must {
		there := find(o, m.name)
		part, some := m.value.(partly)
		switch {
		case there == nil:
			missing = append(missing, m)
		case some && there.Value.Kind() == '{':
			f.bring(there.Value.(*hujson.Object), *there, part.object)
		case !is(there, m.value):
			f.edits = append(f.edits,
				splice{there.StartOffset, there.EndOffset, f.encode(m.value, f.indentation(there.StartOffset))})
		}
	}
	f.addMember(o, at, 1+len(f.indentation(at.StartOffset))/len(f.unit), missing...)
}

// addMember puts members behind the last one of an object that is depth deep.
func (f *file) addMember(o *hujson.Object, at hujson.Value, depth int, members ...member) {
	indent := strings.Repeat(f.unit, depth)
	end := -1
	trailing := false
	if n := len(o.Members); n > 0 {
		last := o.Members[n-1].Value
		end, trailing = last.EndOffset, last.AfterExtra != nil
		if f.ownLine(o.Members[0].Name.StartOffset) {
			indent = f.indentation(o.Members[0].Name.StartOffset)
		}
	}
	var items [][]byte
	for _, m := range members {
		items = append(items, slices.Concat(encode(m.name, "", ""), []byte(": "), f.encode(m.value, indent)))
	}
	f.add(items, indent, end, trailing, o.AfterExtra, at)
}

// addElement puts an element behind the last one of a list.
func (f *file) addElement(a *hujson.Array, at hujson.Value, element object) {
	indent := strings.Repeat(f.unit, 2)
	end := -1
	trailing := false
	if n := len(a.Elements); n > 0 {
		last := a.Elements[n-1]
		end, trailing = last.EndOffset, last.AfterExtra != nil
		if f.ownLine(a.Elements[0].StartOffset) {
			indent = f.indentation(a.Elements[0].StartOffset)
		}
	}
	f.add([][]byte{f.encode(element, indent)}, indent, end, trailing, a.AfterExtra, at)
}

// add puts items, each on a line of its own, behind all that stands before a closing
// bracket. The last one there ends at end, or is -1; trailing says that a comma
// follows it, and extra is what stands between that and the bracket.
func (f *file) add(items [][]byte, indent string, end int, trailing bool, extra []byte, at hujson.Value) {
	if len(items) == 0 {
		return
	}
	if end >= 0 && !trailing {
		f.edits = append(f.edits, splice{end, end, []byte(",")})
	}
	blank := len(extra) - len(bytes.TrimRight(extra, " \t\r\n"))
	var text []byte
	for i, item := range items {
		text = slices.Concat(text, []byte(f.newline+indent), item)
		if i < len(items)-1 || trailing {
			text = append(text, ',')
		}
	}
	start := at.EndOffset - 1 - blank
	if !bytes.ContainsRune(extra[len(extra)-blank:], '\n') {
		text = append(text, f.newline+strings.TrimSuffix(indent, f.unit)...)
	}
	f.edits = append(f.edits, splice{start, start, text})
}

// style finds out how the file is written.
func (f *file) style(top *hujson.Object) {
	if bytes.Contains(f.text, []byte("\r\n")) {
		f.newline = "\r\n"
	}
	if len(top.Members) > 0 && f.ownLine(top.Members[0].Name.StartOffset) {
		f.unit = cmp.Or(f.indentation(top.Members[0].Name.StartOffset), f.unit)
	}
}

func (f *file) encode(value any, indent string) []byte {
	return bytes.ReplaceAll(encode(value, indent, f.unit), []byte("\n"), []byte(f.newline))
}

// line is where the line of an offset begins.
func (f *file) line(offset int) int { return bytes.LastIndexByte(f.text[:offset], '\n') + 1 }

// indentation is the white space that the line of an offset begins with.
func (f *file) indentation(offset int) string {
	line := f.text[f.line(offset):offset]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// ownLine reports that nothing but white space stands before the offset in its line.
func (f *file) ownLine(offset int) bool {
	start := f.line(offset)
	return start > 0 && len(bytes.TrimSpace(f.text[start:offset])) == 0
}

func (f *file) fault(offset int, message string) error {
	line := 1 + bytes.Count(f.text[:offset], []byte("\n"))
	return &FileError{Line: line, Column: 1 + offset - f.line(offset), Message: message}
}

// broken tells where the text is not JSON.
func (f *file) broken(err error) error {
	e := &FileError{Line: 1, Column: 1, Message: strings.TrimPrefix(err.Error(), "hujson: ")}
	if _, scanErr := fmt.Sscanf(e.Message, "line %d, column %d:", &e.Line, &e.Column); scanErr == nil {
		_, e.Message, _ = strings.Cut(e.Message, ": ")
	}
	return e
}

// find is the member of that name, the last one if there are several, which is the
// one that counts for editors.
func find(o *hujson.Object, name string) *hujson.Value {
	for i := len(o.Members) - 1; i >= 0; i-- {
		if is(&o.Members[i].Name, name) {
			return &o.Members[i].Value
		}
	}
	return nil
}

// is reports that a value in a file means what a value made here does.
func is(there *hujson.Value, wanted any) bool {
	if there == nil {
		return false
	}
	plain := there.Clone()
	plain.Standardize()
	var a, b any
	if json.Unmarshal(plain.Pack(), &a) != nil || json.Unmarshal(encode(wanted, "", ""), &b) != nil {
		return false
	}
	return reflect.DeepEqual(a, b)
}
