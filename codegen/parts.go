package codegen

import "fmt"

// encodeParts writes: count, then for each part its name and its data, which follow their
// lengths. Counts and lengths are u32.
func encodeParts(parts []Part) []byte {
	text := func(b []byte, s string) []byte { return append(le.AppendUint32(b, uint32(len(s))), s...) }
	b := le.AppendUint32(nil, uint32(len(parts)))
	for _, p := range parts {
		b = append(le.AppendUint32(text(b, p.Name), uint32(len(p.Data))), p.Data...)
	}
	return b
}

func decodeParts(data []byte) ([]Part, error) {
	r := objectReader{data: data}
	parts := make([]Part, r.count())
	seen := map[string]bool{}
	for i := range parts {
		parts[i] = Part{string(r.text()), r.text()}
		if r.err == nil && seen[parts[i].Name] {
			return nil, fmt.Errorf("part %q appears twice", parts[i].Name)
		}
		seen[parts[i].Name] = true
	}
	if r.err == nil && len(r.data) > 0 {
		r.err = fmt.Errorf("%d bytes after the last part", len(r.data))
	}
	return parts, r.err
}
