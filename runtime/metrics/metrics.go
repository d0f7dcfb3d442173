// Package metrics writes what a run measures as JSON lines: one object a line, keys in the
// order given, each line on its way to disk before Write returns.
package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"

	"vitc/runtime/atomicfile"
	"vitc/runtime/fault"
)

// Keys that the package reads or writes itself.
const (
	KeyStep  = "step"  // steps done, in every record
	KeyFinal = "final" // true in the last record of a run
	KeyNote  = "note"  // says which numbers were not finite; JSON has none such
)

// Field is one key and its value: a float64, float32, int, int64, string or bool.
type Field struct {
	Name  string
	Value any
}

// Writer appends records to a file. It belongs to one goroutine.
type Writer struct {
	path   string
	file   *os.File
	stream bool // nothing to bring to disk
}

// Open opens the file of a run that begins at step from, as if an earlier run had ended
// there: of what stands in it, the records of later steps, final ones and a line torn by a
// kill are dropped. Pipes and devices are only written. The caller closes it.
func Open(path string, from int64) (*Writer, error) {
	stream := IsStream(path)
	if !stream {
		if err := rewind(path, from); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, &fault.Error{Where: path, Msg: "cannot open the metrics", Err: fault.Cause(err)}
	}
	return &Writer{path, f, stream}, nil
}

// IsStream says that the path is of a pipe, a terminal or another device, which hold no
// earlier records.
func IsStream(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// rewind drops the records after step from.
func rewind(path string, from int64) error {
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &fault.Error{Where: path, Msg: "cannot read the metrics", Err: fault.Cause(err)}
	}
	kept, err := keep(path, old, from)
	if err != nil || len(kept) == len(old) {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(kept)
		return err
	})
}

// keep returns the lines of records up to step from. A whole line that is no record means
// that the file is not ours to rewrite.
func keep(path string, old []byte, from int64) ([]byte, error) {
	var kept []byte
	number := 0
	for line := range bytes.Lines(old) {
		number++
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var r struct {
			Step  *int64 `json:"step"`
			Final bool   `json:"final"`
		}
		if err := json.Unmarshal(line, &r); err != nil || r.Step == nil {
			return nil, &fault.Error{Where: fmt.Sprintf("%s:%d", path, number), Msg: "not a file of metrics", Err: err,
				Expected: `objects with "step"`, Fix: "remove it or write to another folder"}
		}
		if *r.Step <= from && !r.Final {
			kept = append(kept, line...)
		}
	}
	return kept, nil
}

// Write appends the record of a step.
func (w *Writer) Write(step int64, fields ...Field) error {
	line, err := encode(append([]Field{{KeyStep, step}}, fields...))
	if err != nil {
		return err
	}
	if _, err := w.file.Write(line); err != nil {
		return &fault.Error{Where: w.path, Msg: "cannot write the metrics", Err: fault.Cause(err), Fix: "free some space or write to another folder"}
	}
	return nil
}

// Final appends the last record of a run: the results of its evaluations, such as
// test.top1.
func (w *Writer) Final(step int64, results ...Field) error {
	return w.Write(step, append([]Field{{KeyFinal, true}}, results...)...)
}

// Close brings the file to disk and closes it.
func (w *Writer) Close() error {
	var sync error
	if !w.stream {
		sync = w.file.Sync()
	}
	if err := errors.Join(sync, w.file.Close()); err != nil {
		return &fault.Error{Where: w.path, Msg: "cannot write the metrics", Err: err}
	}
	return nil
}

// encode makes one line: {"step":5,"loss":null,"note":"loss is NaN"}.
func encode(fields []Field) ([]byte, error) {
	b := []byte("{")
	note := ""
	seen := map[string]bool{KeyNote: true}
	for _, f := range fields {
		if seen[f.Name] {
			return nil, &fault.Error{Where: "metric " + f.Name, Msg: "name taken", Expected: "each name once, and not " + KeyNote}
		}
		seen[f.Name] = true
		text, odd, err := encodeValue(f)
		if err != nil {
			return nil, err
		}
		if odd != "" {
			if note != "" {
				note += ", "
			}
			note += f.Name + " is " + odd
		}
		b = appendMember(b, f.Name, text)
	}
	if note != "" {
		b = appendMember(b, KeyNote, quote(note))
	}
	return append(b, "}\n"...), nil
}

func appendMember(b []byte, name, value string) []byte {
	if len(b) > 1 {
		b = append(b, ',')
	}
	return append(append(append(b, quote(name)...), ':'), value...)
}

// quote prints a JSON string; strings always marshal.
func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// encodeValue prints a value; odd names a number that JSON cannot hold.
func encodeValue(f Field) (text, odd string, err error) {
	switch v := f.Value.(type) {
	case float64:
		text, odd = encodeFloat(v, 64)
		return text, odd, nil
	case float32:
		text, odd = encodeFloat(float64(v), 32)
		return text, odd, nil
	case int, int64, bool:
		return fmt.Sprint(v), "", nil
	case string:
		return quote(v), "", nil
	}
	return "", "", &fault.Error{Where: "metric " + f.Name, Msg: "value of another kind", Expected: "a number, text or bool", Found: fmt.Sprintf("%T", f.Value)}
}

// encodeFloat prints the shortest text that reads back as the same number of that size.
func encodeFloat(v float64, bits int) (text, odd string) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "null", strconv.FormatFloat(v, 'g', -1, bits)
	}
	return strconv.FormatFloat(v, 'g', -1, bits), ""
}
