package safetensors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"vitc/runtime/fault"
)

// header is a parsed JSON header; entries stand in the order of its text.
type header struct {
	metadata map[string]string
	tensors  []Info
}

// headerParser walks the header's tokens. A hand-written walk, because encoding/json
// into maps would keep the last of two equal names silently, and because an error here
// can name the byte.
type headerParser struct {
	dec  *json.Decoder
	file string
}

// parseHeader reads the JSON of a header. It checks form only: names once, known types,
// whole sizes; checkLayout compares offsets with sizes.
func parseHeader(file string, text []byte) (*header, error) {
	p := &headerParser{dec: json.NewDecoder(bytes.NewReader(text)), file: file}
	p.dec.UseNumber()
	if !utf8.Valid(text) {
		return nil, p.fault("header", "UTF-8 text", "other bytes")
	}
	h := &header{}
	err := p.object("header", func(name string) error {
		if name == metadataKey {
			return p.metadata(h)
		}
		info, err := p.tensor(name)
		h.tensors = append(h.tensors, info)
		return err
	})
	if err != nil {
		return nil, err
	}
	if tok, err := p.dec.Token(); err != io.EOF {
		return nil, p.fault("header", "spaces after the closing brace", describe(tok, err))
	}
	return h, nil
}

// fault reports an error in part of the header at the byte reached.
func (p *headerParser) fault(part, expected, found string) error {
	return &fault.Error{
		Where:    fmt.Sprintf("%s: byte %d", p.file, lengthBytes+p.dec.InputOffset()),
		Msg:      "malformed " + part,
		Expected: expected,
		Found:    found,
	}
}

// describe shows a token, or the error that stood in its place, for a message.
func describe(tok json.Token, err error) string {
	switch {
	case err == io.EOF:
		return "the end of the header"
	case err != nil:
		return err.Error()
	}
	if s, ok := tok.(string); ok {
		return clip(strconv.Quote(s))
	}
	return clip(fmt.Sprint(tok))
}

// clip shortens what a file says, so that no file makes a message of megabytes.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	end := limit
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// delim reads one of the delimiters { } [ ].
func (p *headerParser) delim(part string, want json.Delim) error {
	tok, err := p.dec.Token()
	if tok != want || err != nil {
		return p.fault(part, strconv.Quote(want.String()), describe(tok, err))
	}
	return nil
}

// object reads an object, calling member after each key; a key may stand once.
func (p *headerParser) object(part string, member func(key string) error) error {
	if err := p.delim(part, '{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.dec.More() {
		tok, err := p.dec.Token()
		key, ok := tok.(string)
		if !ok {
			return p.fault(part, "a name", describe(tok, err))
		}
		if seen[key] {
			return p.fault(part, "each name once", clip(strconv.Quote(key))+" twice")
		}
		seen[key] = true
		if err := member(key); err != nil {
			return err
		}
	}
	return p.delim(part, '}')
}

// text reads a string.
func (p *headerParser) text(part string) (string, error) {
	tok, err := p.dec.Token()
	s, ok := tok.(string)
	if !ok {
		return "", p.fault(part, "a string", describe(tok, err))
	}
	return s, nil
}

// integer reads a whole number of 0 to 2^63-1, written without point or exponent.
func (p *headerParser) integer(part string) (int64, error) {
	tok, err := p.dec.Token()
	n, ok := tok.(json.Number)
	if !ok {
		return 0, p.fault(part, "a whole number", describe(tok, err))
	}
	v, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil || v < 0 {
		return 0, p.fault(part, "a whole number of 0 to 2^63-1", clip(string(n)))
	}
	return v, nil
}

// integers reads an array of whole numbers.
func (p *headerParser) integers(part string) ([]int64, error) {
	if err := p.delim(part, '['); err != nil {
		return nil, err
	}
	list := []int64{}
	for p.dec.More() {
		v, err := p.integer(part)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, p.delim(part, ']')
}

// metadata reads the free text entries.
func (p *headerParser) metadata(h *header) error {
	h.metadata = map[string]string{}
	return p.object(metadataKey, func(key string) (err error) {
		h.metadata[key], err = p.text(metadataKey + " entry " + clip(strconv.Quote(key)))
		return err
	})
}

// tensor reads the entry of one tensor. Offset holds the first of its data_offsets and
// Bytes their difference.
func (p *headerParser) tensor(name string) (Info, error) {
	part := "entry of tensor " + clip(strconv.Quote(name))
	info := Info{Name: name}
	members := map[string]func() error{
		"dtype":        func() error { return p.dtype(part, &info) },
		"shape":        func() error { return p.shape(part, &info) },
		"data_offsets": func() error { return p.offsets(part, &info) },
	}
	err := p.object(part, func(key string) error {
		read := members[key]
		if read == nil {
			return p.fault(part, "dtype, shape or data_offsets", clip(strconv.Quote(key)))
		}
		delete(members, key)
		return read()
	})
	if err != nil {
		return info, err
	}
	for _, key := range []string{"dtype", "shape", "data_offsets"} {
		if members[key] != nil {
			return info, p.fault(part, key, "none")
		}
	}
	return info, nil
}

func (p *headerParser) dtype(part string, info *Info) error {
	s, err := p.text(part + ", dtype")
	if err != nil {
		return err
	}
	info.DType = DType(s)
	if info.DType.Size() == 0 {
		return p.fault(part+", dtype", "one of "+dtypeNames(), clip(s))
	}
	return nil
}

func (p *headerParser) shape(part string, info *Info) error {
	sizes, err := p.integers(part + ", shape")
	if err != nil {
		return err
	}
	info.Shape = make([]int, len(sizes))
	for i, s := range sizes {
		info.Shape[i] = int(s)
		if int64(info.Shape[i]) != s {
			return p.fault(part+", shape", "a size this machine can index", strconv.FormatInt(s, 10))
		}
	}
	return nil
}

func (p *headerParser) offsets(part string, info *Info) error {
	o, err := p.integers(part + ", data_offsets")
	if err != nil {
		return err
	}
	if len(o) != 2 || o[0] > o[1] {
		return p.fault(part+", data_offsets", "[begin, end], begin <= end", clip(fmt.Sprint(o)))
	}
	info.Offset, info.Bytes = o[0], o[1]-o[0]
	return nil
}
