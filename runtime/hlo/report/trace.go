package report

import (
	"encoding/json"
	"fmt"
	"io"
)

// traceEvent is one of the Trace Event Format, which Perfetto and Chrome read.
type traceEvent struct {
	Name  string         `json:"name"`
	Phase string         `json:"ph"`
	PID   int            `json:"pid"`
	TID   int            `json:"tid"`
	TS    float64        `json:"ts"`            // microseconds
	Dur   float64        `json:"dur,omitempty"` // microseconds
	Cat   string         `json:"cat,omitempty"`
	Args  map[string]any `json:"args,omitempty"`
}

// The rows of a trace; transfers that overlap stand in rows of their own.
const (
	traceCore  = 1
	traceLinks = 2
)

// WriteTrace writes one step as Chrome trace JSON. Loops are folded: one turn is drawn, and how
// often it runs is an argument.
func (r *Report) WriteTrace(w io.Writer) error {
	list, _ := fold(r.step, 0, 0, 1)
	events := []traceEvent{
		{Name: "process_name", Phase: "M", PID: 1, Args: map[string]any{"name": r.Program + " on " + r.Topology + " (estimated, loops folded)"}},
		{Name: "thread_name", Phase: "M", PID: 1, TID: traceCore, Args: map[string]any{"name": "core"}},
	}
	rows := lanesOf(list)
	for k := range rows.ends {
		events = append(events, traceEvent{Name: "thread_name", Phase: "M", PID: 1, TID: traceLinks + k, Args: map[string]any{"name": fmt.Sprintf("links %d", k+1)}})
	}
	for i, s := range list {
		e := traceEvent{Name: s.in.Name, Phase: "X", PID: 1, TID: traceCore, TS: s.at * 1e6, Dur: s.long * 1e6, Cat: s.kind,
			Args: map[string]any{"runs": s.times, "op": s.in.Source.Op, "where": where(s.in.Source)}}
		switch {
		case s.body != nil:
			e.Name, e.Args["turns"], e.Args["seconds"] = fmt.Sprintf("%s x %d", s.in.Name, s.trips), s.trips, s.seconds
		case s.transfer != nil:
			e.TID = traceLinks + rows.row[i]
			e.Args["kind"], e.Args["axis"], e.Args["bytes"], e.Args["exposed_us"] = s.transfer.Kind, s.transfer.Axis, s.transfer.Bytes, s.transfer.Exposed*1e6
		}
		events = append(events, e)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(map[string]any{"traceEvents": events, "displayTimeUnit": "ms", "otherData": map[string]string{"notice": r.Notice}})
}

// linkRows shares out transfers to rows in which none overlap.
type linkRows struct {
	row  []int     // by stretch
	ends []float64 // by row
}

func lanesOf(list []stretch) *linkRows {
	const tolerance = 1e-12 // seconds, of sums
	r := &linkRows{row: make([]int, len(list))}
	for i, s := range list {
		if s.track != trackLinks {
			continue
		}
		k := 0
		for k < len(r.ends) && r.ends[k] > s.at+tolerance {
			k++
		}
		if k == len(r.ends) {
			r.ends = append(r.ends, 0)
		}
		r.row[i], r.ends[k] = k, s.at+s.long
	}
	return r
}
