package progress

import (
	"fmt"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
)

// The bar's line is " 12% |###   |  text ": the width of what is neither bar nor text, with
// the last column left free; the bounds of the bar's width; and the terminal's width below
// which there is text alone.
const (
	barFrame = 12
	barLeast = 5
	barMost  = 24
	narrow   = 32
)

// newBar makes a bar of which all but the frame is ours: the library's own rate counts a
// resumed run's earlier steps.
func newBar(o Options) *progressbar.ProgressBar {
	return progressbar.NewOptions64(o.Total,
		progressbar.OptionSetWriter(o.Out),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: " ", BarStart: "|", BarEnd: "|"}),
	)
}

// draw shows a step in one line of the terminal. The text is set before the step, because
// the library draws no more once the count reaches the end.
func (p *Progress) draw(step int64, parts []part) {
	width := p.width()
	if width < narrow {
		fmt.Fprintf(p.o.Out, "\r%s\x1b[0K", fit(parts, width-1))
		return
	}
	text := fit(parts, width-barFrame-barLeast)
	progressbar.OptionSetWidth(min(barMost, width-barFrame-utf8.RuneCountInString(text)))(p.bar)
	p.bar.Describe(text)
	// Its errors are the writer's: a run does not stop because nobody watches.
	_ = p.bar.Set64(step)
}
