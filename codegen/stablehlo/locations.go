package stablehlo

import (
	"bytes"
	"fmt"
	"strconv"

	"vitc/ir/diag"
)

// unknown is the place of what comes from no line.
const unknown = "unknown"

// locations are the places that ops come from. Each is written once, as an alias; the
// compiler's messages and the programs it hands back speak of them.
type locations struct {
	aliases map[string]string // by their text
	text    bytes.Buffer
}

func newLocations() *locations { return &locations{aliases: map[string]string{}} }

// of is the alias of a place of the program: its line, named by the instance that computed it.
func (l *locations) of(at *diag.Loc) string {
	if at == nil || !at.Valid() {
		return unknown
	}
	place := l.alias(fmt.Sprintf("%s:%d:%d", strconv.Quote(at.File), at.Line, at.Col))
	if at.Path == "" {
		return place
	}
	return l.alias(fmt.Sprintf("%s(%s)", strconv.Quote(at.Path), place))
}

// port is the alias of an argument's place: the line it comes from, under its name.
func (l *locations) port(name string, at *diag.Loc) string {
	if at == nil || !at.Valid() {
		return l.named(name)
	}
	place := l.alias(fmt.Sprintf("%s:%d:%d", strconv.Quote(at.File), at.Line, at.Col))
	return l.alias(fmt.Sprintf("%s(%s)", strconv.Quote(name), place))
}

// named is the alias of a name without a line.
func (l *locations) named(name string) string { return l.alias(strconv.Quote(name)) }

func (l *locations) alias(text string) string {
	name, ok := l.aliases[text]
	if !ok {
		name = fmt.Sprintf("#loc%d", len(l.aliases))
		l.aliases[text] = name
		fmt.Fprintf(&l.text, "%s = loc(%s)\n", name, text)
	}
	return name
}
