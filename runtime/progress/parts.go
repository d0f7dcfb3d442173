package progress

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// part is a piece of what is said of a step. Where the line is narrow, parts of a higher
// rank go first.
type part struct {
	text string
	rank int
}

// parts says what there is to say, in the order it is shown.
func (p *Progress) parts(step int64, loss float64, now time.Time) []part {
	p.sample(step, now)
	list := []part{{fmt.Sprintf("step %d/%d", step, p.o.Total), 0}, {fmt.Sprintf("loss %.4g", loss), 1}}
	if p.evals != "" && p.bar != nil {
		list = append(list, part{p.evals, 4})
	}
	if rate := p.rate(); rate > 0 {
		list = append(list, part{perSecond(rate * float64(p.o.Batch)), 3})
	}
	if left, ok := p.left(step, now); ok {
		list = append(list, part{"ETA " + short(left), 2})
	}
	return list
}

// sample notes how far the run is and forgets what is older than the window, but one.
func (p *Progress) sample(step int64, now time.Time) {
	p.samples = append(p.samples, sample{now, step})
	for len(p.samples) > 2 && now.Sub(p.samples[1].at) >= rateWindow {
		p.samples = p.samples[1:]
	}
}

// rate is the steps a second over the window, 0 while unknown.
func (p *Progress) rate() float64 {
	first, last := p.samples[0], p.samples[len(p.samples)-1]
	seconds := last.at.Sub(first.at).Seconds()
	if seconds <= 0 {
		return 0
	}
	return float64(last.step-first.step) / seconds
}

// perSecond prints a rate: whole, or with two digits where it is small.
func perSecond(rate float64) string {
	if rate < 10 {
		return fmt.Sprintf("%.2g images/s", rate)
	}
	return fmt.Sprintf("%.0f images/s", rate)
}

// left estimates the time to go from the whole run, evaluations included.
func (p *Progress) left(step int64, now time.Time) (time.Duration, bool) {
	done, todo := step-p.o.Start, p.o.Total-step
	if done <= 0 || todo <= 0 {
		return 0, false
	}
	return time.Duration(float64(now.Sub(p.began)) * float64(todo) / float64(done)), true
}

// short prints a duration in its two largest units: 42s, 3m07s, 2h05m, 3d04h.
func short(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 60*60:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 24*60*60:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// join puts parts on one line.
func join(parts []part) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.text
	}
	return strings.Join(texts, "  ")
}

// fit drops parts, highest rank first, until the line has at most width characters; what
// is left of a line too long is cut.
func fit(parts []part, width int) string {
	for {
		line := printable(join(parts))
		if utf8.RuneCountInString(line) <= width {
			return line
		}
		if len(parts) == 1 {
			return string([]rune(line)[:max(0, width)])
		}
		worst := 0
		for i, p := range parts {
			if p.rank > parts[worst].rank {
				worst = i
			}
		}
		parts = append(append([]part{}, parts[:worst]...), parts[worst+1:]...)
	}
}
